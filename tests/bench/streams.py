"""Queries by TCP and by TLS over connections that stay, by dnsperf."""
import re
import subprocess

import bigzone
import certs
import measure
import peers
import queries

CONNECTIONS, PIPELINED = 20, 200
HEAD = ['server', 'queries/s', 'to the best other', 'user us', 'system us', 'CPU to the cheapest other', 'lost']


def dnsperf(bench, s, mode, window, file):
    port = s.tls_port if mode == 'dot' else s.port
    pids = s.pids()
    before = measure.cpu_parts(pids)
    out = subprocess.run([*measure.generator(), 'dnsperf', '-m', mode, '-s', '127.0.0.1', '-p', str(port), '-d', file, '-T', '1',
                          '-c', str(CONNECTIONS), '-q', str(window), '-l', '1' if bench.brief else str(queries.SECONDS), '-e'],
                         capture_output=True, text=True, timeout=60, check=True).stdout
    user, system = (after - b for after, b in zip(measure.cpu_parts(pids), before))
    done, lost = (int(re.search(rf'Queries {what}: +(\d+)', out).group(1)) for what in ('completed', 'lost'))
    took = float(re.search(r'Run time \(s\): +([0-9.]+)', out).group(1))
    return done / took, user / max(done, 1) * 1e6, system / max(done, 1) * 1e6, lost


def run(bench):
    zone = bench.zone
    file = zone.queries(bench.path / 'stream-queries', min(bench.records, 200000))
    serial = bench.primary.serve(zone.big)
    cert = certs.Certificate(bench.path / 'cert')
    with peers.serving(peers.ALL, bench, {bigzone.ORIGIN: serial}, zone.last(), tls=cert, threads=1) as servers:
        for mode, what, window in (('tcp', 'TCP', CONNECTIONS), ('tcp', 'TCP', PIPELINED),
                                   ('dot', 'TLS', CONNECTIONS), ('dot', 'TLS', PIPELINED)):
            able = [s for s in servers if (mode == 'tcp' or s.tls) and not (s.name == 'bind9' and window > CONNECTIONS)]
            results = queries.rounds(bench, able, [(what, file)],
                                     lambda s, f, m=mode, w=window: dnsperf(bench, s, m, w, f), 3)
            rows = [r[:6] + r[7:] for r in queries.rows(results[what])]
            measure.table(f'Queries by {what}, zone of {bench.records:,} records, random names, one in ten NXDOMAIN, '
                          f'{CONNECTIONS} connections, {window} queries on the way, one thread each, median of 3', HEAD, rows)
    print('Not by TLS: knot and pdns, whose versions in Debian 12 have none. Not with more than a query a connection:\n'
          'bind9, which comes to a standstill with dnsperf then (it reads no further at 23 unanswered ones).\n')
