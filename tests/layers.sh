#!/bin/bash
# The floors: a file includes only what lies below it (docs/design.md, "The house").
cd "$(dirname "$0")/.." || exit 1
python3 - <<'PY'
import re, pathlib, sys
below = {
    'lib/base': [], 'lib/dns': ['lib/base'], 'lib/zone': ['lib/base', 'lib/dns'],
    'lib/store': ['lib/base', 'lib/dns', 'lib/zone'],
    'lib/net': ['lib/base', 'lib/dns', 'lib/zone'],
    'journal': ['lib/base', 'lib/dns', 'lib/zone'],
    'authd': ['lib/base', 'lib/dns', 'lib/zone', 'lib/store', 'lib/net'],
    'syncd/zonectl': ['lib/base', 'lib/dns', 'lib/zone'],
    'syncd': ['lib/base', 'lib/dns', 'lib/zone', 'lib/store', 'lib/net', 'journal'],
}
only = {'sqlite3.h': 'lib/store', 'git2.h': 'journal', 'openssl/ssl.h': 'lib/net'}
bad = 0
for path in sorted(p for d in ('lib', 'journal', 'authd', 'syncd') for p in pathlib.Path(d).rglob('*.[ch]')):
    room = next(r for r in below if str(path.parent) == r)
    for n, line in enumerate(path.read_text().splitlines(), 1):
        m = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if not m:
            continue
        kind, what = m.groups()
        if kind == '"':
            target = str(pathlib.Path(what).parent)
            if target != room and target not in below[room]:
                print(f'{path}:{n}: {room} must not include {what}'); bad = 1
        elif what in only and not room.startswith(only[what]):
            print(f'{path}:{n}: only {only[what]} may include <{what}>'); bad = 1
sys.exit(bad)
PY
