"""One changed record: how long until it is answered.

First from the end of the commit to authd's answer, in zones of different sizes: another program stands in
syncd's place, so that only the way from store to answer is measured. Then the whole way, from the primary's
NOTIFY through IXFR, beside other servers.
"""
import statistics
import subprocess
import time

import bigzone
import dns.message
import dns.update
import measure
import peers
import zl

SIZES, CHANGES = (10000, 1000000), 300
ROUNDS, PATIENCE = 15, 10


def pick(words, name):
    return int(words[words.index(name) + 1])


def committed(bench, records):
    """Microseconds from commit to answer: median, 90 and 99 of 100, longest."""
    path = bench.dir(f'commit-{records}')
    node = zl.Node(path / 'n', level='info', workers=1)
    node.data.mkdir(parents=True)
    node.write_config()
    subprocess.run([bench.tool('storewrite'), 'fill', node.data, '1', str(records)], check=True, capture_output=True)
    node.authd.start()
    try:
        out = subprocess.run([bench.tool('storewrite'), 'change', node.data, node.path, str(node.port), 'z0000000.test',
                              str(10 if bench.brief else CHANGES)], check=True, capture_output=True, text=True, timeout=120)
    finally:
        node.authd.kill()
    words = out.stdout.split('\n')[0].split()
    return [pick(words, k) for k in ('median', 'p90', 'p99', 'max')]


def commits(bench):
    sizes = [min(n, bench.records) for n in SIZES]
    rows = [[f'{n:,}', *committed(bench, n)] for n in sorted(set(sizes))]
    measure.table(f'One changed record: microseconds from the end of its commit to the first answer with it, {CHANGES} changes',
                  ['records in the zone', 'median', '90 of 100', '99 of 100', 'longest'], rows)


class Primary(zl.Knot):
    """knot, whose zone is changed by dynamic update, and which gives the difference by IXFR."""

    def configure(self):
        super().configure()
        conf = self.path / 'knot.conf'
        conf.write_text(conf.read_text().replace('action: transfer', 'action: [transfer, update]'))

    def change(self, number):
        """Returns the serial that the change has got."""
        before = zl.serial(self.port, bigzone.ORIGIN)
        u = dns.update.Update(bigzone.ORIGIN)
        u.replace('changing', 60, 'A', f'10.1.{number >> 8}.{number & 255}')
        dns.query.tcp(u, '127.0.0.1', port=self.port, timeout=30)
        return zl.wait_for(lambda: (now := zl.serial(self.port, bigzone.ORIGIN)) != before and now, 'the update', 30, 0.001)


class Watch:
    """Asks for the SOA as fast as it is answered, and reads nothing but its serial."""

    def __init__(self, port):
        self.asker = measure.Asker(port)
        self.query = dns.message.make_query(bigzone.ORIGIN, 'SOA').to_wire()

    def seconds_until(self, serial):
        """From a NOTIFY that is sent now; None if that takes too long."""
        s, want = self.asker.s, serial.to_bytes(4, 'big')
        begin = time.perf_counter()
        self.asker.notify(bigzone.ORIGIN)
        while (took := time.perf_counter() - begin) < PATIENCE:
            try:
                s.send(self.query)
                if want in s.recv(4096):
                    return took
            except OSError:
                pass
        return None


def notified(bench):
    zone, path = bench.zone, bench.dir('notified')
    primary = Primary(path / 'primary', ixfr=True)
    primary.load(bigzone.ORIGIN, zone.big(0x20000000))  # a serial whose octets are found nowhere else in an answer
    primary.start()
    bench.primary = primary
    took, lost = {}, {}
    with peers.serving(peers.ALL, bench, {bigzone.ORIGIN: 0x20000000}, zone.last()) as servers:
        watches = {s.name: Watch(s.port) for s in servers}
        for i in range(3 if bench.brief else ROUNDS):
            serial = primary.change(i)
            for name, w in watches.items():
                seconds = w.seconds_until(serial)
                if seconds is None:
                    lost[name] = lost.get(name, 0) + 1
                elif i:  # the first change of each is not like the others
                    took.setdefault(name, []).append(seconds * 1000)
    ours = statistics.median(took[peers.Ours.name])
    rows = [[name, f'{statistics.median(t):.1f}', f'{statistics.median(t) / ours:.1f}', f'{min(t):.1f}', f'{max(t):.1f}',
             lost.get(name, 0)] for name, t in took.items()]
    measure.table(f'One changed record in a zone of {zone.records:,}: milliseconds from NOTIFY to the first answer with it, '
                  f'by IXFR from knot, {ROUNDS} changes',
                  ['secondary', 'median', 'to ours', 'shortest', 'longest', f'over {PATIENCE} s'], rows)


def run(bench):
    commits(bench)
    notified(bench)
