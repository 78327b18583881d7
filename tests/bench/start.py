"""How soon a server answers from what it finds on disk, and what it holds in memory then."""
import statistics
import time

import bigzone
import measure
import peers

STARTS = 3
PATIENCE = 60


class Nsd(peers.Nsd):
    """It is to write its zone file at once."""
    write_seconds = 1


SERVERS = tuple(Nsd if c is peers.Nsd else c for c in peers.ALL)


class Result:
    def __init__(self, s):
        self.name, self.seconds, self.alone, self.memory, self.parts = s.name, [], [], {}, {}

    def remember(self, s, when):
        self.memory[when] = measure.memory_mib(s.pids())
        if isinstance(s, peers.Ours):  # authd alone too
            self.parts[when] = measure.memory_mib([s.node.authd.p.pid])


def first_answer(s, serial, last, start=None):
    """Seconds from the start to the first right answer for each of a few names."""
    begin = time.monotonic()
    (start or s.start)()
    asker = measure.Asker(s.port)
    served = measure.wait_served(asker, bigzone.ORIGIN, serial, last, PATIENCE)
    asker.close()
    if served is None:
        raise AssertionError(f'{s.name} does not serve within {PATIENCE} s')
    return time.monotonic() - begin


def measure_server(cls, bench, serial):
    s = cls(bench.path / f'{cls.program}-start', bigzone.ORIGIN, bench.primary.port, threads=1)
    last = bench.zone.last()
    try:
        r = Result(s)
        first_answer(s, serial, last)
        s.saved()
        r.remember(s, 'transfer')
        for _ in range(1 if bench.brief else STARTS):
            if isinstance(s, peers.Ours):
                s.end()
                r.alone.append(first_answer(s, serial, last, s.start_authd))
            s.end()
            r.seconds.append(first_answer(s, serial, last))
        time.sleep(0 if bench.brief else 2)  # until it has given back what only its start needed
        r.remember(s, 'start')
        return r
    finally:
        s.stop()


def rows(results, records):
    pdns = next((statistics.median(r.seconds) for r in results if r.name == 'pdns'), None)

    def octets(mib):
        return f'{mib * 2**20 / records:.0f}'
    for r in results:
        seconds = statistics.median(r.seconds)
        yield [r.name, f'{seconds:.2f}', f'{seconds / pdns:.2f}' if pdns else '-', octets(r.memory['transfer']),
               octets(r.memory['start'])]
        if r.parts:
            alone = statistics.median(r.alone)
            yield ['zoneledger, authd alone', f'{alone:.2f}', f'{alone / pdns:.2f}' if pdns else '-', octets(r.parts['transfer']), octets(r.parts['start'])]


def run(bench):
    serial = bench.primary.serve(bench.zone.big)
    results = []
    for cls in peers.installed(SERVERS, bench.servers):
        try:
            results.append(measure_server(cls, bench, serial))
        except AssertionError as e:
            print(f'left out: {e}')
    measure.table(f'Start with a zone of {bench.records:,} records on disk, median of {STARTS}; memory of all its processes',
                  ['server', 'first answer s', "to pdns's", 'octets a record after transfer', 'after start'],
                  list(rows(results, bench.records)))
