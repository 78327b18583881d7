"""Queries a second and CPU for each, with one thread or process a server."""
import statistics
import subprocess

import bigzone
import measure
import peers
import zl

SERVERS = peers.ALL
ROUNDS, SECONDS, WINDOW = 5, 2, 200


def load(build, s, queries):
    """One round: queries a second, microseconds of user and system CPU for each, and how many were lost."""
    pids = s.pids()
    before = measure.cpu_parts(pids)
    out = subprocess.run([build / 'tests/bin/flood', '127.0.0.1', str(s.port), queries, str(SECONDS), str(WINDOW)],
                         capture_output=True, text=True, timeout=60, check=True).stdout.split()
    user, system = (after - b for after, b in zip(measure.cpu_parts(pids), before))
    answered, took, lost = int(out[0]), float(out[1]), int(out[2])
    return answered / took, user / answered * 1e6, system / answered * 1e6, lost


def rows(results):
    median = {name: [statistics.median(x) for x in zip(*r)] for name, r in results.items()}
    mine = median[peers.Ours.name]
    best = max((m[0] for name, m in median.items() if name != peers.Ours.name), default=mine[0])
    cheapest = min((m[1] + m[2] for name, m in median.items() if name != peers.Ours.name), default=mine[1] + mine[2])
    return [[name, f'{q:,.0f}', f'{q / best:.2f}', f'{user:.2f}', f'{system:.2f}', f'{(user + system) / cheapest:.2f}',
             f'{lost:.0f}'] for name, (q, user, system, lost) in median.items()]


def run(build, path, zone, primary, names):
    mixes = [('random names, one in ten NXDOMAIN', zone.queries(path / 'queries', 500000)),
             ('100 hot names', zone.queries(path / 'hot', 10000, absent=0, names=100))]
    serial = primary.serve(zone.big)
    servers, results = [], {}
    try:
        for cls in peers.installed(SERVERS, names):
            s = cls(path / f'{cls.name}-q', bigzone.ORIGIN, primary.port, threads=1)
            servers.append(s)
            s.start()
            asker = measure.Asker(s.port)
            served = measure.wait_served(asker, bigzone.ORIGIN, serial, zone.last(), 60)
            asker.close()
            if not served:
                print(f'{s.name} does not serve the zone within a minute and is left out')
                servers.remove(s)
                s.stop()
        for mix, file in mixes:
            results[mix] = {}
            for _ in range(ROUNDS):  # in turns, so that a noisy minute is everybody's
                for s in servers:
                    results[mix].setdefault(s.name, []).append(load(build, s, file))
    finally:
        for s in servers:
            s.stop()
    for mix, r in results.items():
        measure.table(f'Queries by UDP, zone of {zone.records:,} records, {mix}, one thread each, median of {ROUNDS}',
                      ['server', 'queries/s', 'ratio to the best other', 'user us', 'system us',
                       'CPU to the cheapest other', 'lost'], rows(r))
