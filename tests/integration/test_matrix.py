"""What works with whom: a test for each cell of peer x direction x feature. What a peer of Debian 12 lacks is said in the table,
and docs/interoperability.md is the table: /usr/bin/python3 tests/integration/test_matrix.py writes it.

"in": the peer is primary, and we are its secondary; "out": it is our secondary."""
import pathlib
import shutil
import tempfile

import catalogs
import certs
import consumers
import dns.rcode
import pytest
import test_xot
import test_xot_peers
import zl
from matrix import ALGORITHMS, BOTH, Arena, in_zone, out_zone

PEERS = {'knot': 'Knot DNS 3.2', 'nsd': 'NSD 4.6', 'bind9': 'BIND 9.18', 'pdns': 'PowerDNS 4.7', 'ours': 'Zoneledger'}
COLUMNS = ['AXFR', 'IXFR', 'NOTIFY', *(f'TSIG {a}' for a in ALGORITHMS), 'XoT', 'catalog', 'UPDATE']

# Why there is nothing to test.
LACKS = {
    ('pdns', 'in', 'IXFR'): 'it answers IXFR with the whole zone',
    ('knot', 'in', 'XoT'): 'it has no TLS',
    ('knot', 'out', 'XoT'): 'it has no TLS',
    ('nsd', 'in', 'XoT'): 'its TLS does not agree on ALPN "dot", which RFC 9103 7.1 demands',
    ('pdns', 'in', 'XoT'): 'it has no TLS',
    ('pdns', 'out', 'XoT'): 'it has no TLS',
    ('nsd', 'out', 'catalog'): 'it follows none (since 4.9)',
    ('nsd', 'in', 'UPDATE'): 'it knows no UPDATE',
    ('nsd', 'out', 'UPDATE'): 'it knows no UPDATE',
}
# What is to be known of those that work.
NOTES = {
    ('nsd', 'in', 'catalog'): 'it makes none, but serves one that is written as a zone file',
    ('bind9', 'in', 'catalog'): 'it makes none, but serves one that is written as a zone file',
    ('knot', 'out', 'catalog'): 'it does not know `coo`: a zone must leave one catalog before another lists it',
    ('bind9', 'out', 'catalog'): 'it takes the property `group`, and does nothing with it',
    ('pdns', 'out', 'catalog'): 'it gives the zones of a catalog no TSIG key: they are transferred by address',
    ('knot', 'out', 'UPDATE'): 'it passes updates on without their signature: a policy by address takes them',
    ('pdns', 'out', 'IXFR'): 'if the zone has the metadata IXFR',
}
CELLS = [(p, d, c) for p in PEERS for d in ('in', 'out') for c in COLUMNS]


# ---------------------------------------------------------------- the stages

@pytest.fixture(scope='module')
def stage():
    """stage(peer): the two of them, started once for all cells."""
    made = {}

    def make(name):
        if BOTH[name].missing():
            pytest.skip(f'skipped: {BOTH[name].program} is not installed')
        if name not in made:
            path = pathlib.Path(tempfile.mkdtemp(prefix='zl-'))
            path.chmod(0o755)
            made[name] = Arena(name, path)
            made[name].start()
        return made[name]
    yield make
    errors = []
    for a in made.values():
        try:
            a.stop()
        except AssertionError as e:
            errors.append(e)
        shutil.rmtree(a.path, ignore_errors=True)
    assert not errors, errors[0]


@pytest.fixture
def extra(place, node):
    """What the cells need that have servers of their own: a place, nodes, and peers that end with the test."""
    class Extra:
        pass
    e, made = Extra(), []

    def run(p, *args):
        if p.missing():
            pytest.skip(f'skipped: {p.program} is not installed')
        made.append(p)
        p.start(*args)
        return p
    e.place, e.node, e.run = place, node, run
    yield e
    for p in made:
        p.stop()


# ---------------------------------------------------------------- what is done in a cell

def axfr_in(a):
    zone = in_zone('axfr')
    a.we_have(zone, 1)
    assert zl.records(a.node.dump(zone), zone) == zl.records(a.peer.file(zone).read_text(), zone)
    assert a.node.log(zone)[-1]['origin'] == 'axfr'


def axfr_out(a):
    zone = out_zone('axfr')
    a.peer_has(zone, 1)
    a.said('a zone is sent', f'zone={zone}', 'kind=axfr')
    assert zl.ask(a.peer.port, f'h7.{zone}', 'A').answer[0][0].address == '192.0.2.7'


def ixfr_in(a):
    """The first change may come whole, where a peer has noted down none yet."""
    zone = in_zone('ixfr')
    a.we_have(zone, 1)
    for serial in range(2, 6):
        a.peer.load(zone, serial)
        a.we_have(zone, serial)
        if a.node.log(zone)[0]['origin'] == 'ixfr':
            break
    assert a.node.log(zone)[0]['origin'] == 'ixfr', a.node.syncd.text()[-2000:]
    assert zl.records(a.node.dump(zone), zone) == zl.records(a.peer.file(zone).read_text(), zone)


def ixfr_out(a):
    zone = out_zone('ixfr')
    a.peer_has(zone, 1)
    sent = []
    for serial in range(2, 6):
        a.publish(zone, serial)
        a.peer_has(zone, serial)
        sent = a.said('a zone is sent', f'zone={zone}', f'to={serial} ')
        if 'kind=ixfr' in sent[-1]:
            break
    assert 'kind=ixfr' in sent[-1], sent
    assert zl.ask(a.peer.port, f'www.{zone}', 'A').answer[0][0].address == f'192.0.2.{serial}'


def notify_in(a):
    """Nothing else could bring it within an hour."""
    zone = in_zone('notify')
    a.we_have(zone, 1)
    a.peer.load(zone, 2)
    a.we_have(zone, 2)


def notify_out(a):
    zone = out_zone('notify')
    a.peer_has(zone, 1)
    a.publish(zone, 2)
    a.peer_has(zone, 2)
    a.said('a NOTIFY is acknowledged', f'zone={zone}', 'serial=2')


def tsig_in(a, algorithm):
    """The probe, the transfer and the NOTIFY are signed: none of them would do otherwise."""
    zone = in_zone(algorithm)
    a.we_have(zone, 1)
    a.peer.load(zone, 2)
    a.we_have(zone, 2)
    assert {v['key'].rstrip('.') for v in a.node.log(zone)} == {f'{algorithm}.test'}


def tsig_out(a, algorithm):
    zone = out_zone(algorithm)
    a.peer_has(zone, 1)
    a.publish(zone, 2)
    a.peer_has(zone, 2)
    a.said('a zone is sent', f'zone={zone}', 'to=2 ', f'key={algorithm}.test')
    a.said('a NOTIFY is acknowledged', f'zone={zone}', 'serial=2')


def update_in(a):
    """Who sends it to us gets the peer's answer, and the change comes back as any other."""
    zone = in_zone('update')
    a.we_have(zone, 1)
    assert a.update(a.node.port, zone, 'new') == dns.rcode.NOERROR
    zl.wait_for(lambda: a.node.ask(f'new.{zone}', 'A').answer, 'the new record to come back', 40)


def update_out(a):
    zone = out_zone('update')
    a.peer_has(zone, 1)
    assert a.update(a.peer.port, zone, 'new') == dns.rcode.NOERROR
    zl.wait_for(lambda: zl.ask(a.peer.port, f'new.{zone}', 'A').answer, 'the new record to come back', 40)
    assert a.node.log(zone)[0]['origin'] == 'update'


def catalog_in(name, e):
    kinds = {'knot': catalogs.KnotProducer, 'pdns': catalogs.PdnsProducer, 'nsd': zl.Nsd, 'bind9': zl.Bind}
    if name == 'ours':
        catalog_of_ours(e)
        return
    p = kinds[name](e.place / 'peer')
    for zone in ('one.test', 'two.test'):
        p.write(zone, catalogs.member(zone))
    if name in ('nsd', 'bind9'):
        p.write(catalogs.CATALOG, catalogs.text(1, {'one.test': 'a', 'two.test': 'b'}))
    e.run(p)
    n = catalogs.follower(e.node, p)
    n.start()
    catalogs.served(n, 'one.test', 'two.test')


def with_catalog(e, follower):
    """A node of ours with a catalog of two zones."""
    n = e.node('producer')
    n.secondaries['follower'] = follower
    n.options['extra'] = 'producer "cat.test" { secondaries = {"follower"} }'
    for zone in ('one.test', 'two.test'):
        n.zones[zone], n.zone_options[zone] = [], {'secondaries': '{"follower"}', 'catalog': '"cat.test"'}
    n.start()
    for zone in n.zones:
        (e.place / zone).write_text(catalogs.member(zone))
        n.zonectl('import', zone, e.place / zone)
    zl.wait_for(lambda: {z['name']: z['records'] for z in n.json('zone', 'list')}.get('cat.test.') == 5, 'the catalog')
    return n


def catalog_of_ours(e):
    second = e.node('follower')
    first = with_catalog(e, second)
    second.options['extra'] = catalogs.section(primary='first')
    second.primaries['first'] = (f'127.0.0.1@{first.port}', None)
    second.start()
    catalogs.served(second, 'one.test', 'two.test')
    assert second.zone('one.test')['catalog'] == 'cat.test.'


def catalog_out(name, e):
    if name == 'ours':
        catalog_of_ours(e)
        return
    kind = consumers.CONSUMERS[name]
    c = kind(e.place / 'peer', None)
    n = with_catalog(e, c)
    c.primary = n
    e.run(c, 'cat.test')
    c.wait_zones(['one.test', 'two.test'])


def xot_in(name, e):
    cert = certs.Authority(e.place / 'ca').issue('ns1.example.test')
    if name == 'ours':
        _, remote = test_xot.secure_primary(e.node, cert)
    else:
        p = test_xot_peers.BindPrimary(e.place / 'peer', cert)
        p.write(test_xot.ZONE, zl.small_zone(1))
        e.run(p)
        remote = test_xot.Remote(name, p.tls_port)
    n = test_xot.follow(e.node, remote, cert.known())
    n.wait_serial(test_xot.ZONE, 1)
    zl.wait_for(lambda: 'transport=tls' in n.syncd.text(), 'the log to say how')


def xot_out(name, e):
    if name == 'ours':
        xot_in(name, e)
        return
    cert = certs.Authority(e.place / 'ca').issue('ns1.example.test')
    first, remote = test_xot.secure_primary(e.node, cert)
    kind = {'bind9': test_xot_peers.BindSecondary, 'nsd': test_xot_peers.NsdSecondary}[name]
    s = e.run(kind(e.place / 'peer', first, remote.port, cert), test_xot.ZONE)
    s.wait_serial(test_xot.ZONE, 1)
    zl.wait_for(lambda: [x for x in first.syncd.text().splitlines() if 'a zone is sent' in x and 'transport=tls' in x], 'the log to say how')


STAGED = {'AXFR': (axfr_in, axfr_out), 'IXFR': (ixfr_in, ixfr_out), 'NOTIFY': (notify_in, notify_out), 'UPDATE': (update_in, update_out)}
STAGED |= {f'TSIG {x}': (lambda a, x=x: tsig_in(a, x), lambda a, x=x: tsig_out(a, x)) for x in ALGORITHMS}
ALONE = {'catalog': (catalog_in, catalog_out), 'XoT': (xot_in, xot_out)}


@pytest.mark.parametrize('peer,direction,feature', [
    pytest.param(*c, marks=pytest.mark.xdist_group(f'matrix-{c[0]}'), id='-'.join(c).replace(' ', '-'))
    for c in CELLS if c not in LACKS])
def test_cell(peer, direction, feature, stage, extra):
    out = direction == 'out'
    if feature in STAGED:
        STAGED[feature][out](stage(peer))
    else:
        ALONE[feature][out](peer, extra)


# ---------------------------------------------------------------- the table

def table():
    marks, notes = {}, []
    for c in CELLS:
        if c in LACKS or c in NOTES:
            line = LACKS.get(c) or NOTES[c]
            entry = f'{PEERS[c[0]]}: {line}'
            if entry not in notes:
                notes.append(entry)
            marks[c] = ('no' if c in LACKS else 'yes') + f' ({notes.index(entry) + 1})'
        else:
            marks[c] = 'yes'
    out = ['# Interoperability', '',
           'What works with the servers of Debian 12. Each `yes` is a test of its own in `make check`',
           '(tests/integration/test_matrix.py, from which this page is made); a `no` is what the peer lacks. *In*: the peer is',
           'primary and Zoneledger its secondary; *out*: it is our secondary. TSIG: the probe, the transfer and the NOTIFY are signed.',
           'UPDATE in: we pass an update on to the peer; out: it passes one on to us. Catalog in: we follow its catalog zone; out: it',
           'follows ours.', '']
    out.append('| | ' + ' | '.join(f'{PEERS[p]} {d}' for p in PEERS for d in ('in', 'out')) + ' |')
    out.append('| --- |' + ' --- |' * (2 * len(PEERS)))
    for f in COLUMNS:
        out.append(f'| {f} | ' + ' | '.join(marks[p, d, f] for p in PEERS for d in ('in', 'out')) + ' |')
    out.append('')
    out += [f'{i + 1}. {n}.' for i, n in enumerate(notes)]
    return '\n'.join(out) + '\n'


PAGE = zl.ROOT / 'docs/interoperability.md'


def test_the_page_is_the_table():
    assert PAGE.read_text() == table(), 'run /usr/bin/python3 tests/integration/test_matrix.py'


def test_the_table_is_whole():
    assert set(LACKS) | set(NOTES) <= set(CELLS) and not set(LACKS) & set(NOTES)
    assert {c[2] for c in CELLS} == set(STAGED) | set(ALONE)
    assert set(PEERS) == set(BOTH)


if __name__ == '__main__':
    PAGE.write_text(table())
