"""Queries a second and CPU for each, with one thread or process a server."""
import re
import statistics
import subprocess

import bigzone
import measure
import secondaries
import zl

SERVERS = (secondaries.Ours, secondaries.Knot, secondaries.Nsd, secondaries.Bind)
ROUNDS, SECONDS = 3, 4


def load(s, queries):
    """One round of dnsperf: queries a second and microseconds of CPU for each."""
    pids = s.pids()
    before = measure.cpu(pids)
    out = subprocess.run([zl.tool('dnsperf'), '-s', '127.0.0.1', '-p', str(s.port), '-d', str(queries), '-l', str(SECONDS),
                          '-q', '500', '-c', '4', '-T', '1'], capture_output=True, text=True, timeout=60, check=True).stdout
    spent = measure.cpu(pids) - before
    done = int(re.search(r'Queries completed:\s+(\d+)', out).group(1))
    lost = int(re.search(r'Queries lost:\s+(\d+)', out).group(1))
    rate = float(re.search(r'Queries per second:\s+([\d.]+)', out).group(1))
    return rate, spent / done * 1e6, lost


def run(path, zone, primary, names):
    if zl.tool('dnsperf') is None:
        print('skipped: dnsperf is not installed')
        return
    queries = zone.queries(path / 'queries', 1000000)
    serial = primary.serve(zone.big)
    servers, results = [], {}
    try:
        for cls in secondaries.installed(SERVERS, names):
            s = cls(path / f'{cls.name}-q', bigzone.ORIGIN, primary.port, threads=1)
            servers.append(s)
            s.start()
            asker = measure.Asker(s.port)
            served = measure.wait_served(asker, bigzone.ORIGIN, serial, zone.last(), 60)
            asker.close()
            assert served, f'{s.name} does not serve'
        for _ in range(ROUNDS):  # in turns, so that a noisy minute is everybody's
            for s in servers:
                results.setdefault(s.name, []).append(load(s, queries))
    finally:
        for s in servers:
            s.stop()
    median = {name: [statistics.median(x) for x in zip(*r)] for name, r in results.items()}
    ours = median[secondaries.Ours.name]
    measure.table(f'Queries by UDP, zone of {zone.records:,} records, one in ten NXDOMAIN, one thread each, median of {ROUNDS}',
                  ['server', 'queries/s', 'ratio to ours', 'CPU us/query', 'ratio to ours', 'lost'],
                  [[name, f'{q:,.0f}', f'{q / ours[0]:.2f}', f'{c:.2f}', f'{c / ours[1]:.2f}', f'{lost:.0f}']
                   for name, (q, c, lost) in median.items()])
