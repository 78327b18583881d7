"""A big zone out by AXFR: each server as primary with the same zone file, one after another; the client throws it away."""
import statistics
import subprocess

import bigzone
import measure
import peers
import zl

TIMES = 5


class Ours:
    name, program = 'zoneledger', 'authd'

    def __init__(self, path):
        self.path = path
        self.node = zl.Node(path, level='warning', workers=1, extra=f'zone "{bigzone.ORIGIN}" {{ transfer-from = {{"127.0.0.0/8"}} }}')
        self.port = self.node.port

    @classmethod
    def missing(cls):
        return peers.Ours.missing()

    def serve(self, text):
        head = self.path.parent / 'big-out.zone'  # beside what it includes
        head.write_text(text)
        self.node.start()
        self.node.zonectl('import', bigzone.ORIGIN, head)
        self.node.journaled()

    def pids(self):
        return [self.node.syncd.p.pid, self.node.authd.p.pid]

    def stop(self):
        self.node.kill()


def peer(cls):
    class Peer(cls):
        def serve(self, text):
            self.write(bigzone.ORIGIN, text)
            self.start()

        def pids(self):
            return [self.process.p.pid]
    return Peer


def measured(s, bench, text):
    try:
        s.serve(text)
        zl.wait_for(lambda: zl.serial(s.port, bigzone.ORIGIN) == 1, f'{s.name} to serve', 120)
        before = measure.cpu(s.pids())
        runs = [[float(x) for x in subprocess.run([bench.tool('axfrtime'), str(s.port), bigzone.ORIGIN, str(bench.zone.records)],
                                                  check=True, capture_output=True, text=True).stdout.split()]
                for _ in range(1 if bench.brief else TIMES)]
        cpu = (measure.cpu(s.pids()) - before) / len(runs)
    finally:
        s.stop()
    return [statistics.median(r[0] for r in runs), min(r[0] for r in runs), statistics.median(r[1] for r in runs), cpu, runs[0][2], runs[0][3]]


def run(bench):
    text = bench.zone.big(1)
    results = {}
    for cls in (Ours, *map(peer, (zl.Knot, zl.Nsd, zl.Bind))):
        if bench.servers and cls is not Ours and cls.name not in bench.servers:
            continue
        if cls.missing():
            print(f'skipped: {cls.program} is not installed')
            continue
        results[cls.name] = measured(cls(bench.path / f'{cls.name}-out'), bench, text)
    ours = results[Ours.name]
    measure.table(f'A zone of {bench.zone.records:,} records out by AXFR, {TIMES} times',
                  ['primary', 'median s', 'to ours', 'best s', 'first message s', 'CPU s', 'messages', 'octets'],
                  [[n, f'{r[0]:.2f}', f'{r[0] / ours[0]:.1f}', f'{r[1]:.2f}', f'{r[2]:.3f}', f'{r[3]:.2f}', f'{r[4]:.0f}', f'{r[5]:.0f}']
                   for n, r in results.items()])
