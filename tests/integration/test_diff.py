"""A change as programs want it: text that stock patch and git read, and JSON by RRset."""
import pathlib
import random
import re
import shutil
import subprocess

import pytest
import zl

ZONE = 'example.test'


def text(serial, hosts):
    """Hosts, in a zone that has its parts in other directories of the journal once there are many."""
    lines = '\n'.join(f'h{i:04} {ttl} A 192.0.2.{last}' for i, (ttl, last) in sorted(hosts.items()))
    return zl.small_zone(serial, extra=lines)


def put(n, serial, hosts):
    n.zonectl('import', ZONE, '-', stdin=text(serial, hosts))


def patched(tmp_path, n, a, b, how):
    """What stock tools make of version a and the diff from a to b."""
    place = tmp_path / how
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    target = place / ZONE
    target.write_text(n.dump(ZONE, a))
    diff = n.zonectl('diff', ZONE, a, b, '--git').stdout
    (place / 'x.diff').write_text(diff)
    if how == 'patch':
        cmd = ['patch', '-p1', '--fuzz=0', '-i', 'x.diff']
    else:
        subprocess.run(['git', 'init', '-q', '.'], cwd=place, check=True)
        cmd = ['git', 'apply', 'x.diff']
    r = subprocess.run(cmd, cwd=place, capture_output=True, text=True)
    assert r.returncode == 0 and 'offset' not in r.stdout, r.stdout + r.stderr + diff
    return target.read_text()


@pytest.mark.parametrize('count', [20, 700], ids=['one-blob', 'many'])
def test_patch_and_git_apply_make_the_other_version(node, tmp_path, count):
    if not shutil.which('patch'):
        pytest.skip('skipped: patch is not installed')
    dice = random.Random(4711)
    hosts = {i: (300, i % 250) for i in range(count)}
    n = node().start(authd=False)
    put(n, 1, hosts)
    for serial in (2, 3):
        for _ in range(6):
            hosts[dice.randrange(2 * count)] = (dice.choice([60, 300]), dice.randrange(250))
            hosts.pop(dice.choice(sorted(hosts)))
        put(n, serial, hosts)
    n.journaled()
    for a, b in (('v1', 'v2'), ('v1', 'v3'), ('v3', 'v1'), ('v2', 'current')):
        for how in ('patch', 'git'):
            assert patched(tmp_path, n, a, b, how) == n.dump(ZONE, 'v3' if b == 'current' else b)
    diff = n.zonectl('diff', ZONE, 'v1', 'v2', '--git').stdout
    assert diff.startswith(f'diff --git a/{ZONE} b/{ZONE}\n--- a/{ZONE}\n+++ b/{ZONE}\n@@ -1,')
    (tmp_path / 'x.diff').write_text(diff)
    stat = subprocess.run(['git', 'apply', '--stat', tmp_path / 'x.diff'], capture_output=True, text=True, check=True).stdout
    changed = n.json('diff', ZONE, 'v1', 'v2')
    assert f'{len(changed["added"])} insertions(+), {len(changed["removed"])} deletions(-)' in stat
    if count < 256:  # then the journal's own diff is of the same text
        ours = [l for l in diff.splitlines() if not l.startswith(('diff', '---', '+++'))]
        gits = [l for l in n.git('diff', f'{ZONE}~2', f'{ZONE}~1').splitlines() if not l.startswith(('diff', '---', '+++', 'index'))]
        assert sorted(ours) == sorted(re.sub(' @@.*', ' @@', l) if l.startswith('@@') else l for l in gits)


def test_nothing_differs(node):
    n = node().start(authd=False)
    put(n, 1, {1: (300, 1)})
    assert n.zonectl('diff', ZONE, 'v1', 'v1', '--git').stdout == ''
    d = n.json('diff', ZONE, 'v1', 'v1')
    assert d['removed'] == d['added'] == d['rrsets'] == []


def test_by_rrset_for_programs(node):
    n = node().start(authd=False)
    put(n, 1, {1: (300, 1), 2: (300, 2), 3: (300, 3)})
    put(n, 2, {1: (60, 1), 2: (300, 22), 4: (300, 4)})
    d = n.json('diff', ZONE, 'v1', 'v2')
    assert d['from']['version'] == 1 and d['to']['version'] == 2 and d['to']['serial'] == 2
    soa, txt, *rest = d['rrsets']
    assert (txt['type'], txt['added'], txt['removed']) == ('TXT', *[[{'ttl': 300, 'rdata': f'"version {i}"'}] for i in (2, 1)])
    assert (soa['owner'], soa['type']) == (f'{ZONE}.', 'SOA')
    assert soa['removed'][0]['rdata'].split()[2] == '1' and soa['added'][0]['rdata'].split()[2] == '2'

    def a(*records):
        return [{'ttl': ttl, 'rdata': f'192.0.2.{last}'} for ttl, last in records]

    assert rest == [
        {'owner': f'h0001.{ZONE}.', 'type': 'A', 'removed': a((300, 1)), 'added': a((60, 1))},
        {'owner': f'h0002.{ZONE}.', 'type': 'A', 'removed': a((300, 2)), 'added': a((300, 22))},
        {'owner': f'h0003.{ZONE}.', 'type': 'A', 'removed': a((300, 3)), 'added': []},
        {'owner': f'h0004.{ZONE}.', 'type': 'A', 'removed': [], 'added': a((300, 4))},
    ]
    records = [f'{s["owner"]} {r["ttl"]} IN {s["type"]} {r["rdata"]}' for s in d['rrsets'] for r in s['added']]
    assert records == d['added']


def test_names_that_a_file_system_would_trip_over(node):
    """The file in the text is called as the branch, so that no name leads out of a directory."""
    n = node().start(authd=False)
    zone = 'a/\\.\\./\\.\\.b.test'
    for serial in (1, 2):
        n.zonectl('import', zone, '-', stdin=f'$ORIGIN {zone}.\n@ 60 SOA ns h {serial} 1 1 1 1\n@ 60 NS ns.x.test.\nw 60 A 192.0.2.{serial}\n')
    first = n.zonectl('diff', zone, 'v1', '--git').stdout.splitlines()[0]
    n.journaled()
    branch = pathlib.PurePosixPath(n.git('for-each-ref', '--format=%(refname)', 'refs/heads/').strip()).name
    assert first == f'diff --git a/{branch} b/{branch}' and '/..' not in branch
    bad = n.zonectl('diff', zone, 'v1', 'v9', '--git', check=False)
    assert bad.returncode == 1 and 'no version' in bad.stderr
