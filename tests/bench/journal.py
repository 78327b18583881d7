"""What the journal costs: commits, octets, how far it is behind, what its merging disturbs, and old versions read.

CPU counts more than seconds on a busy machine; each durable pack waits three times for the disk.
"""
import lzma
import os
import statistics
import subprocess
import tarfile
import time

import measure
import zl

DATA = 'root-zone/root-zone-2026.tar.xz'
ZONE = 'long.test'
SIZES, SPREAD, VERSIONS, CHANGES, RATE, SECONDS = (1000, 100000, 1000000), 10000, 100000, 20000, 1000, 20
KIB = 1024


def cost(bench, tool, *args):
    """Lines of words, a name and a figure in turns, as lists of words."""
    out = subprocess.run([bench.tool(tool), *map(str, args)], check=True, capture_output=True, text=True, timeout=300).stdout
    return [line.split() for line in out.splitlines()]


def pick(lines, *start):
    """The figures of the line that begins so."""
    for words in lines:
        if tuple(words[:len(start)]) == tuple(map(str, start)):
            rest = words[len(start):]
            return dict(zip(rest[::2], map(float, rest[1::2])))
    raise AssertionError(f'no line {start}: {lines}')


class Goals:
    def __init__(self):
        self.rows = []

    def most(self, what, figure, goal, unit):
        self.rows.append([what, f'{figure:,.2f} {unit}' if figure < 10 else f'{figure:,.0f} {unit}', f'below {goal:,} {unit}',
                          'yes' if figure < goal else 'no'])

    def least(self, what, figure, goal, unit):
        self.rows.append([what, f'{figure:,.0f} {unit}', f'{goal:,} {unit}', 'yes' if figure >= goal else 'no'])


def alone(bench, goals):
    """The journal by itself."""
    rows = []
    sizes = (1000,) if bench.brief else SIZES
    for n in sizes:
        r = cost(bench, 'journalcost', 'single', bench.path / f'single-{n}', n)
        rows.append(row_of(f'one zone of {n:,} records', r, pick(r, 'merged', 'first')['octets']))
        commits(goals, rows[-1][0], r)
    first, all_ = pick(r, 'merged', 'first')['octets'], pick(r, 'merged', 'all')['octets']
    goals.most(f'a change, after merging, zone of {sizes[-1]:,} records (the first 200)', first, 2 * KIB, 'octets')
    goals.most(f'a change, after merging, zone of {sizes[-1]:,} records (all)', all_, 2 * KIB, 'octets')
    zones = 200 if bench.brief else SPREAD
    r = cost(bench, 'journalcost', 'spread', bench.path / 'spread', zones)
    rows.append(row_of(f'{zones:,} zones of 10 records', r, '-'))
    commits(goals, rows[-1][0], r)
    measure.table('The journal by itself: durable commits of one changed record, at 1, 100, 1,000 a pack; octets of a change on the disk',
                  ['history of', 'import s', 'at 1', 'at 100', 'at 1,000', 'CPU us at 100', 'at 1,000', 'octets at 1', 'at 1,000',
                   'first 200 merged', 'all merged'], rows)


def commits(goals, what, r):
    """By the clock, and by what they take of one core: on a busy machine only that says something."""
    f = pick(r, 'changes', 'batch', 1000)
    goals.least(f'commits, 1,000 a pack, {what}', f['per_s'], 5000, 'a second')
    goals.most(f'CPU of one of them, {what}', f['cpu_us'], 200, 'us')


def row_of(what, r, first):
    at = {n: pick(r, 'changes', 'batch', n) for n in (1, 100, 1000)}
    return [what, f'{pick(r, "import")["seconds"]:.2f}', *(f'{at[n]["per_s"]:,.0f}' for n in (1, 100, 1000)),
            *(f'{at[n]["cpu_us"]:.0f}' for n in (100, 1000)), *(f'{at[n]["octets"]:,.0f}' for n in (1, 1000)),
            first if first == '-' else f'{first:,.0f}', f'{pick(r, "merged", "all")["octets"]:,.0f}']


def together(bench, goals):
    """syncd's threads of store and journal. At a rate: how far is the journal behind?"""
    rows = []
    zones = 200 if bench.brief else SPREAD
    changes = 1000 if bench.brief else CHANGES
    paced = RATE // 5 if bench.brief else RATE * SECONDS
    large = 1000 if bench.brief else 100000
    for count, records, n, group, rate in ((1, large, changes, 100, 0), (zones, 10, changes, 100, 0),
                                           (1, large, paced, 1, RATE), (zones, 10, paced, 1, RATE)):
        what = f'one zone of {records:,}' if count == 1 else f'{count:,} zones of {records}'
        path = bench.dir(f'node-{len(rows)}')
        r = pick(cost(bench, 'nodecost', path, count, records, n, group, rate), 'changes', n)
        pace = f'{rate:,} a second, each its own' if rate else f'as fast as they go, {group} a transaction'
        rows.append([what, pace, f'{r["per_s"]:,.0f}', f'{r["cpu_us"]:.0f}', f'{r["lag_max_ms"] / 1000:.2f}', f'{r["behind_max"]:,.0f}',
                     f'{r["merges"]:.0f}', *(f'{r[k] / 1000:.1f}' for k in ('p50_us', 'p99_us', 'max_us'))])
        if rate:
            goals.most(f'the journal behind the store, {rate:,} changes a second, {what}', r['lag_max_ms'] / 1000, 5, 's')
    measure.table('Store and journal together: changes durable in both; how far the journal was behind; a transaction of the store',
                  ['zones', 'changes', 'a second', 'CPU us', 'behind s', 'versions', 'merges', 'median ms', '99 of 100', 'longest'], rows)


def beside_merging(bench):
    r = cost(bench, 'journalcost', 'stall', bench.path / 'stall', *((1000, 20) if bench.brief else (100000, 200)))
    rows = [[what, f'{s["samples"]:.0f}', *(f'{s[k] / 1000:.1f}' for k in ('p50_us', 'p99_us', 'max_us'))]
            for what, s in (('alone', pick(r, 'stall', 'alone')), ('while packs are merged', pick(r, 'stall', 'merging')))]
    measure.table('A pack of ten changes, from the call to durable: milliseconds', ['packs', 'how many', 'median', '99 of 100', 'longest'], rows)


def timed(n, *args, times=5):
    """Median milliseconds of a command, the start of zonectl (about 4) included."""
    took = []
    for _ in range(times):
        start = time.monotonic()
        n.zonectl(*args)
        took.append((time.monotonic() - start) * 1000)
    return f'{statistics.median(took):.1f}'


def reading(n, zone, versions, name):
    """A row: log, log of a name, blame, show, diff near and far, rollback to the version before and to the first."""
    newest = n.zone(zone)['version']
    cells = [timed(n, 'log', zone), timed(n, 'log', zone, '--name', name), timed(n, 'blame', zone, name),
             timed(n, 'show', f'{zone}@v{newest // 2}'), timed(n, 'diff', zone, f'v{newest - 1}', f'v{newest}'),
             timed(n, 'diff', zone, 'v1', f'v{newest}'), timed(n, 'rollback', zone, '--force', '--to', f'v{newest - 1}', times=1)]
    n.zonectl('release', zone, check=False)
    cells.append(timed(n, 'rollback', zone, '--force', '--to', 'v1', times=1))
    return [zone, f'{versions:,}', *cells]


def root_versions(bench):
    """The zone files, oldest first; none if the data are not there."""
    data = zl.pathlib.Path(os.environ.get('ZL_SHARED_DATA', zl.ROOT.parent / 'shared/data')) / DATA
    if not data.exists():
        return []
    where = bench.dir('root-files')
    with lzma.open(data) as x, tarfile.open(fileobj=x) as tar:
        tar.extractall(where)
    return sorted(where.rglob('root-*.zone'))


def history_of_root(bench, files):
    n = zl.Node(bench.dir('root'), level='warning')
    n.start(authd=False)
    try:
        start = time.monotonic()
        for f in files[:3] if bench.brief else files:
            n.zonectl('import', '.', f)
        n.journaled()
        print(f'{len(files)} versions of the root zone imported and journaled in {time.monotonic() - start:.1f} s')
        return reading(n, '.', len(files), 'org.')
    finally:
        n.kill()


def history_of_many(bench):
    versions = 300 if bench.brief else VERSIONS
    n = zl.Node(bench.dir('long'), level='warning')
    n.data.mkdir()
    start = time.monotonic()
    subprocess.run([bench.tool('historywrite'), n.data, ZONE, '1000', str(versions), '60'], check=True, timeout=300)
    print(f'{versions:,} versions of a zone of 1,000 records written to store and journal in {time.monotonic() - start:.1f} s')
    n.start(authd=False)
    try:
        return reading(n, ZONE, versions, f'rare.{ZONE}')
    finally:
        n.kill()


def run(bench):
    goals = Goals()
    alone(bench, goals)
    together(bench, goals)
    beside_merging(bench)
    rows = []
    files = root_versions(bench)
    if files:
        rows.append(history_of_root(bench, files))
    else:
        print('the root zone\'s versions: skipped, no data')
    rows.append(history_of_many(bench))
    measure.table('Old versions by zonectl: milliseconds',
                  ['zone', 'versions', 'log', 'log of a name', 'blame', 'show, middle', 'diff to the one before', 'to the first',
                   'rollback by one', 'to the first'], rows)
    measure.table('Goals', ['what', 'figure', 'goal', 'met'], goals.rows)
