"""How long single answers take while the zone changes: a steady asker, all answers counted.

The asker's times are from just before it sends to the arrival of the answer in its socket, as the kernel
stamps it. `own` is the longest that the asker itself was late: on a busy machine the tail is not the server's.
"""
import subprocess

import bigzone
import measure
import peers
import zl

RATE, QUIET, SECONDS, CHANGES = 10000, 4, 12, 1000
HEAD = ['server', 'while', 'median us', '99 of 100', '99.9 of 100', 'longest', 'lost', 'wrong', "asker's own"]
PEERS = (peers.Ours, peers.Knot, peers.Nsd, peers.Bind)  # pdns takes longer for a transfer than SECONDS


class Latency:
    """The asker, in the background."""

    def __init__(self, bench, port, queries, seconds=SECONDS):
        self.p = subprocess.Popen([*measure.generator(), bench.tool('latency'), str(port), str(RATE),
                                   str(1 if bench.brief else seconds), queries], stdout=subprocess.PIPE, text=True)

    def row(self, server, what):
        words = self.p.communicate(timeout=60)[0].split()
        w = dict(zip(words[::2], words[1::2]))
        return [server, what, *(w[k] for k in ('p50', 'p99', 'p999', 'max', 'lost', 'bad', 'own'))]


def replaced(bench, cls, bodies, queries):
    """A secondary that stands still, and then gets a zone in which each record is another one."""
    p, zone = bench.primary, bench.zone
    serial = p.serve(zone.big, 1, bodies[0])
    s = cls(bench.path / f'{cls.program}-tail', bigzone.ORIGIN, p.port, threads=1)
    asker = measure.Asker(s.port)
    try:
        s.start()
        asker.close()
        asker = measure.Asker(s.port)
        if not measure.wait_served(asker, bigzone.ORIGIN, serial, zone.last(), 60):
            raise AssertionError(f'{s.name} does not serve the zone')
        quiet = Latency(bench, s.port, queries, QUIET).row(s.name, 'nothing happens')
        serial = p.serve(zone.big, 1, bodies[1])
        latency = Latency(bench, s.port, queries)
        asker.notify(bigzone.ORIGIN)
        took = measure.wait_served(asker, bigzone.ORIGIN, serial, [], 60)
        busy = latency.row(s.name, f'replaced in {took:.1f} s' if took else 'not replaced in a minute')
        return [quiet, busy]
    finally:
        asker.close()
        s.stop()


def changing(bench):
    """One worker whose zone gets so many commits a second; another program stands in syncd's place."""
    path = bench.dir('rate')
    node = zl.Node(path / 'n', level='info', workers=1)
    node.data.mkdir(parents=True)
    node.write_config()
    subprocess.run([bench.tool('storewrite'), 'fill', node.data, '1', str(bench.records)], check=True, capture_output=True)
    queries = path / 'queries'
    queries.write_text(''.join(f'h{i * 7919 % (bench.records - 2) + 2:07d}.z0000000.test A\n' for i in range(100000)))
    node.authd.start()
    seconds = 1 if bench.brief else 9
    with subprocess.Popen([bench.tool('storewrite'), 'rate', node.data, node.path, '1', str(CHANGES), str(seconds + 1)],
                          stdout=subprocess.PIPE, text=True) as changes:
        try:
            zl.wait_for(lambda: node.serial('z0000000.test') > 100, 'changes to be answered', 60)
            row = Latency(bench, node.port, queries, 8).row('zoneledger', f'{CHANGES:,} changes a second')
            done, told = changes.communicate(timeout=60)[0].strip().split('\n')
            print(f'{done}; microseconds from a commit to authd\'s word that it serves it: {told[5:]}')
        finally:
            changes.kill()
            node.authd.kill()
    return row


def run(bench):
    zone = bench.zone
    queries = zone.queries(bench.path / 'tail-queries', 100000)
    bodies = zone.body, zone.write_body('other.zone', 1)
    rows = [changing(bench)]
    for cls in peers.installed(PEERS, bench.servers):
        try:
            rows += replaced(bench, cls, bodies, queries)
        except AssertionError as e:
            print(f'left out: {e}')
    measure.table(f'Single answers at {RATE:,} queries a second, zone of {bench.records:,} records, one worker each', HEAD, rows)
