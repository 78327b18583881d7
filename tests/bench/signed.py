"""Queries with DO in signed zones, by UDP, measured as in queries.py."""
import measure
import peers
import queries
import signedzone
import transfer

OWNERS = 50000
MIXES = (('existing names, one in ten NXDOMAIN, one in ten a referral', (8, 1, 1)), ('NXDOMAIN', (0, 1, 0)))


def run(bench):
    owners = min(OWNERS, bench.records)
    zones = [signedzone.SignedZone(bench.path, o, owners) for o in ('nsec.test', 'nsec3.test')]
    primary = bench.primary = transfer.Primary(bench.path / 'primary', None)
    for z in zones:
        primary.load(z.origin, z.file.read_text())
    primary.start()
    mixes = [((z, what), z.queries(bench.path / f'{z.origin}.{i}', min(owners, 200000), *parts))
             for z in zones for i, (what, parts) in enumerate(MIXES)]
    last = [q for z in zones for q in z.last()]
    with peers.serving((*peers.ALL, peers.Echo), bench, {z.origin: 1 for z in zones}, last, threads=1) as servers:
        results = queries.rounds(bench, servers, mixes, lambda s, file: queries.flood(bench, s, file, 'do'), 3)
    for (z, what), median in results.items():
        measure.table(f'Queries with DO by UDP, {z.origin} of {owners:,} owners: {what}; one thread each, median of 3',
                      queries.HEAD, queries.rows(median))
