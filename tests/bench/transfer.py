"""From NOTIFY to served: a big zone from one primary (knot) to each secondary, one after another."""
import time

import bigzone
import measure
import peers
import zl

PATIENCE = 60


class Primary(zl.Knot):
    """knot; who needs a NOTIFY gets it from the measurement itself, when the new version is there."""

    def __init__(self, path, zone):
        super().__init__(path)
        self.zone, self.serial_now = zone, 0

    def serve(self, make, *args):
        self.serial_now += 1
        self.load(bigzone.ORIGIN, make(self.serial_now, *args))
        if self.process is None:
            self.start()
        zl.wait_for(lambda: zl.serial(self.port, bigzone.ORIGIN) == self.serial_now, 'the primary to load', 60)
        return self.serial_now


class Run:
    """One secondary through the same three steps."""

    def __init__(self, cls, bench):
        self.cls, self.path, self.primary = cls, bench.path, bench.primary
        self.pause = 0 if bench.brief else 1
        self.seconds, self.cpu = {}, {}
        self.memory = self.journal = None
        self.peaks = []

    def step(self, s, asker, what, serial, records, begin):
        before = measure.cpu(s.pids())
        start = time.monotonic()
        begin()
        served = measure.wait_served(asker, bigzone.ORIGIN, serial, records, PATIENCE)
        if served is None:
            raise AssertionError(f'{s.name}: {what}: not served within {PATIENCE} s')
        self.seconds[what] = time.monotonic() - start
        if what == 'notify' and isinstance(s, peers.Ours):
            while s.journal_behind():
                time.sleep(0.01)
            self.journal = time.monotonic() - start
        self.cpu[what] = measure.cpu(s.pids()) - before

    def steps(self):
        p, zone = self.primary, self.primary.zone
        s = self.cls(self.path / self.cls.name, bigzone.ORIGIN, p.port)
        asker = measure.Asker(s.port)
        try:
            serial = p.serve(zone.small)
            s.start()
            asker.close()
            asker = measure.Asker(s.port)
            measure.wait_served(asker, bigzone.ORIGIN, serial, [], PATIENCE)

            serial = p.serve(zone.big)
            self.step(s, asker, 'notify', serial, zone.last(), lambda: asker.notify(bigzone.ORIGIN))
            time.sleep(self.pause)  # what a server does after it answers: NSD still gives up its old processes
            serial = p.serve(zone.big, 2)
            self.step(s, asker, 'change', serial, [], lambda: asker.notify(bigzone.ORIGIN))
            time.sleep(self.pause)
            self.peaks = [(measure.comm(pid), measure.peak_mib(pid)) for pid in s.pids()]
            self.memory = measure.memory_mib(s.pids())
        finally:
            asker.close()
            s.stop()

    def first(self):
        s = self.cls(self.path / f'{self.cls.name}-first', bigzone.ORIGIN, self.primary.port)
        asker = measure.Asker(s.port)
        try:
            begin = time.monotonic()
            s.start()
            asker.close()
            asker = measure.Asker(s.port)
            if measure.wait_served(asker, bigzone.ORIGIN, self.primary.serial_now, self.primary.zone.last(), PATIENCE):
                self.seconds['first'] = time.monotonic() - begin
        finally:
            asker.close()
            s.stop()


def row(r, ours, records):
    def pair(what):
        if what not in r.seconds:
            return ['-', '-']
        return [f'{r.seconds[what]:.2f}', f'{r.seconds[what] / ours.seconds[what]:.1f}']
    peaks = sorted((mib for _, mib in r.peaks), reverse=True)
    return [r.cls.name, *pair('notify'), f'{r.cpu["notify"]:.2f}', *pair('first'), *pair('change'),
            ' + '.join(f'{mib:.0f}' for mib in peaks[:3]), f'{r.memory:.0f}', f'{r.memory * 2**20 / records:.0f}']


def run(bench):
    runs, zone = [], bench.zone
    for cls in peers.installed(peers.ALL, bench.servers):
        r = Run(cls, bench)
        try:
            r.steps()
            r.first()
            runs.append(r)
        except AssertionError as e:
            print(e, flush=True)
    ours = next(r for r in runs if r.cls is peers.Ours)
    measure.table(f'A zone of {zone.records:,} records by AXFR from knot; seconds until it is served',
                  ['secondary', 'NOTIFY', 'ratio', 'CPU s', 'first', 'ratio', 'one change', 'ratio',
                   'peak MiB', 'then MiB', 'octets/record'], [row(r, ours, zone.records) for r in runs])
    print(f'NOTIFY to the commit in the journal being durable: {ours.journal:.2f} s\n', flush=True)
