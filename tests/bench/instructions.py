"""Instructions that authd spends on a query from the readable socket to the sent answer, system calls' own left
out: counted by callgrind, so that they are the same on a noisy machine (but for how full the batches are)."""
import pathlib
import re
import signal
import subprocess

import measure
import signedzone
import transfer
import zl

OWNERS = 20000
CASES = (('existing name', (1, 0, 0)), ('NXDOMAIN', (0, 1, 0)), ('referral', (0, 0, 1)))
SECONDS = 2


def count(bench, node, out, queries, dnssec):
    """authd under callgrind, asked for a moment: instructions an answer."""
    command = ['valgrind', '--tool=callgrind', f'--callgrind-out-file={out}', '--collect-atstart=no',
               '--toggle-collect=on_readable', *node.authd.cmd]
    authd = zl.Process('authd', command, out.with_suffix('.log')).start()
    try:
        for zone in node.zones:
            zl.wait_for(lambda z=zone: node.serial(z) == 1, 'authd to serve under valgrind', 60)
        flood = subprocess.run([bench.tool('flood'), '127.0.0.1', str(node.port), queries, '0.5' if bench.brief else str(SECONDS),
                                '100', *(['do'] if dnssec else [])], capture_output=True, text=True, check=True, timeout=60)
        authd.signal(signal.SIGTERM)
        authd.p.wait(60)
    finally:
        authd.kill()
    answered, _, _, *rcodes = flood.stdout.split()
    assert rcodes[2] == '0', f'answers that are neither NOERROR nor NXDOMAIN: {flood.stdout}'
    instructions = int(re.search(r'^(?:summary|totals): (\d+)', pathlib.Path(out).read_text(), re.M).group(1))
    return instructions / int(answered)


def run(bench):
    owners = min(OWNERS, bench.records)
    zones = [signedzone.SignedZone(bench.path, o, owners) for o in signedzone.KINDS]
    primary = bench.primary = transfer.Primary(bench.path / 'primary', None)
    node = zl.Node(bench.path / 'n', level='info', workers=1, extra='sandbox = no')  # valgrind writes its own files
    for z in zones:
        primary.load(z.origin, z.file.read_text())
        node.secondary_of(z.origin, primary)
    primary.start()
    node.start()
    try:
        for z in zones:
            node.wait_serial(z.origin, 1)
        node.authd.stop()
        rows = []
        for z in zones:
            signed = signedzone.KINDS[z.origin] is not None
            row = [f'{z.origin.split(".")[0]}{", DO" if signed else ""}']
            for i, (_, parts) in enumerate(CASES):
                queries = z.queries(bench.path / f'{z.origin}.{i}', min(owners, 100000), *parts)
                row.append(f'{count(bench, node, bench.path / f"callgrind.{z.origin}.{i}", queries, signed):,.0f}')
            rows.append(row)
    finally:
        node.kill()
    measure.table(f'Instructions a query by UDP in authd, from readable socket to sent answer, zones of {owners:,} owners',
                  ['zone', *(what for what, _ in CASES)], rows)
