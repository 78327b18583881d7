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
        self.peaks = {}  # MiB of each process, largest first

    def step(self, s, asker, what, serial, records, begin):
        before = measure.cpu(s.pids())
        measure.forget_peaks(s.pids())
        start = time.monotonic()
        begin()
        served = measure.wait_served(asker, bigzone.ORIGIN, serial, records, PATIENCE)
        if served is None:
            raise AssertionError(f'{s.name}: {what}: not served within {PATIENCE} s')
        self.seconds[what] = time.monotonic() - start
        if isinstance(s, peers.Ours):  # its history is part of it
            while s.journal_behind():
                time.sleep(0.01)
            if what == 'notify':
                self.journal = time.monotonic() - start
        self.cpu[what] = measure.cpu(s.pids()) - before
        time.sleep(self.pause)  # what a server does after it answers: NSD still gives up its old processes
        self.peaks[what] = sorted((measure.peak_mib(pid) for pid in s.pids()), reverse=True)

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
            serial = p.serve(zone.big, 2)  # by AXFR again: the primary keeps no changes
            self.step(s, asker, 'change', serial, [], lambda: asker.notify(bigzone.ORIGIN))
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
    return [r.cls.name, *pair('notify'), f'{r.cpu["notify"]:.2f}', *pair('first'), *pair('change'),
            *peak(r, ours, 'notify'), *peak(r, ours, 'change'), f'{r.memory:.0f}', f'{r.memory * 2**20 / records:.0f}']


def peak(r, ours, what):
    """Of its processes, and all together beside ours."""
    return [' + '.join(f'{mib:.0f}' for mib in r.peaks[what][:3]), f'{sum(r.peaks[what]) / sum(ours.peaks[what]):.1f}']


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
                  ['secondary', 'NOTIFY', 'ratio', 'CPU s', 'first', 'ratio', 'again', 'ratio',
                   'peak MiB', 'ratio', 'peak again', 'ratio', 'then MiB', 'octets/record'], [row(r, ours, zone.records) for r in runs])
    print(f'NOTIFY to the commit in the journal being durable: {ours.journal:.2f} s\n', flush=True)
