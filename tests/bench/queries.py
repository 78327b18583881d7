"""Queries a second and CPU for each by UDP, with one thread or process a server, beside a bare echo."""
import statistics
import subprocess

import bigzone
import measure
import peers

ROUNDS, SECONDS, WINDOW = 5, 2, 200
HEAD = ['server', 'queries/s', 'to the best other', 'user us', 'system us', 'CPU to the cheapest other',
        'us above echo', 'lost']


def flood(bench, s, queries, *options):
    """One round: queries a second, microseconds of user and system CPU for each, and how many were lost."""
    pids = s.pids()
    before = measure.cpu_parts(pids)
    seconds = 0.2 if bench.brief else SECONDS
    out = subprocess.run([*measure.generator(), bench.tool('flood'), '127.0.0.1', str(s.port), queries, str(seconds),
                          str(WINDOW), *options],
                         capture_output=True, text=True, timeout=60, check=True).stdout.split()
    user, system = (after - b for after, b in zip(measure.cpu_parts(pids), before))
    answered, took, lost = int(out[0]), float(out[1]), int(out[2])
    per_query = 1e6 / max(answered, 1)
    return answered / took, user * per_query, system * per_query, lost


def rounds(bench, servers, mixes, one_round, count=ROUNDS):
    """{mix: {server: median of the rounds}}; in turns, so that a noisy minute is everybody's."""
    results = {}
    for mix, file in mixes:
        found = {}
        for _ in range(1 if bench.brief else count):
            for s in servers:
                found.setdefault(s.name, []).append(one_round(s, file))
        results[mix] = {name: [statistics.median(x) for x in zip(*r)] for name, r in found.items()}
    return results


def ratio(mine, reference):
    return f'{mine / reference:.2f}' if reference else '-'


def rows(median):
    others = {n: m for n, m in median.items() if n not in (peers.Ours.name, peers.Echo.name)}
    best = max((m[0] for m in others.values()), default=0)
    cheapest = min((m[1] + m[2] for m in others.values()), default=0)
    echo = sum(median[peers.Echo.name][1:3]) if peers.Echo.name in median else None
    return [[name, f'{q:,.0f}', ratio(q, best), f'{user:.2f}', f'{system:.2f}', ratio(user + system, cheapest),
             '-' if echo is None else f'{user + system - echo:.2f}', f'{lost:.0f}']
            for name, (q, user, system, lost) in median.items()]


def run(bench):
    zone, n = bench.zone, bench.records
    mixes = [('random names, one in ten NXDOMAIN', zone.queries(bench.path / 'queries', min(n, 500000))),
             ('100 hot names', zone.queries(bench.path / 'hot', 10000, absent=0, names=100))]
    serial = bench.primary.serve(zone.big)
    with peers.serving((*peers.ALL, peers.Echo), bench, {bigzone.ORIGIN: serial}, zone.last(), threads=1) as servers:
        results = rounds(bench, servers, mixes, lambda s, file: flood(bench, s, file))
    for mix, median in results.items():
        measure.table(f'Queries by UDP, zone of {n:,} records, {mix}, one thread each, median of {ROUNDS}',
                      HEAD, rows(median))
