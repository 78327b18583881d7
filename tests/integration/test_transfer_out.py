"""Our node as primary: secondaries of every make take zones from it, hear of changes, and follow by increments."""
import dns.edns
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.xfr
import dns.zone
import pytest
import secondaries
import zl

ZONE = 'example.test'


@pytest.fixture
def secondary(place):
    made = []

    def make(name, primary, key=None):
        cls = secondaries.SECONDARIES[name]
        if cls.missing():
            pytest.skip(f'skipped: {cls.program} is not installed')
        s = cls(place / f'secondary-{name}{len(made)}', primary, key)
        made.append(s)
        return s
    yield make
    for s in made:
        s.stop()


def publish(n, text, place, zone=ZONE):
    f = place / 'import.zone'
    f.write_text(text)
    n.zonectl('import', zone, f)


def sent(n, *words):
    return [x for x in n.syncd.text().splitlines() if 'a zone is sent' in x and ZONE in x and all(w in x for w in words)]


@pytest.mark.parametrize('signed', [False, True], ids=['plain', 'tsig'])
@pytest.mark.parametrize('name', sorted(secondaries.SECONDARIES))
def test_secondaries_take_the_zone_and_follow(name, signed, secondary, node, place):
    key = zl.Key() if signed else None
    n = node()
    s = secondary(name, n, key)
    n.primary_of(ZONE, s).start()
    publish(n, zl.small_zone(1), place)
    s.start(ZONE)
    s.wait_serial(ZONE, 1)
    n.journaled()
    publish(n, zl.small_zone(2, www='192.0.2.82', extra='new TXT "told by NOTIFY"'), place)
    s.wait_serial(ZONE, 2)
    r = zl.ask(s.port, f'new.{ZONE}', 'TXT')
    assert r.answer[0][0].strings == (b'told by NOTIFY',)
    # The line comes when the last octet is out, and the secondary may be quicker than that.
    first = zl.wait_for(lambda: sent(n, 'kind=axfr'), 'the log to tell of the zone')[0]
    assert ('key=transfer.test' in first) == signed
    if name != 'pdns':  # which asks for IXFR only after it has seen SOA by its own timer
        zl.wait_for(lambda: sent(n, 'kind=ixfr', 'from=1'), 'the log to tell of the increment')


def test_a_second_node_of_ours_follows_the_first(node, place):
    first, second = node('first', key=zl.Key('two-tier.test')), node('second')
    first.primary_of(ZONE, second)
    second.key = first.key
    second.secondary_of(ZONE, first, **{'refresh-min': '1h', 'retry-min': '1h'})
    first.start()
    publish(first, zl.small_zone(1), place)
    second.start()
    second.wait_serial(ZONE, 1)
    for serial in (2, 3, 4):
        publish(first, zl.small_zone(serial, www=f'192.0.2.{80 + serial}'), place)
        second.wait_serial(ZONE, serial)
    assert first.dump(ZONE) == second.dump(ZONE)
    second.journaled()
    assert [(v['serial'], v['origin']) for v in second.log(ZONE)] == [(4, 'ixfr'), (3, 'ixfr'), (2, 'ixfr'), (1, 'axfr')]
    second.verify()


def test_changes_told_while_the_secondary_is_away(node, place):
    """NOTIFY is said again until somebody answers."""
    first, second = node('first'), node('second')
    first.primary_of(ZONE, second)
    second.secondary_of(ZONE, first, **{'refresh-min': '1h', 'retry-min': '1h'})
    first.start()
    publish(first, zl.small_zone(1), place)
    second.start()
    second.wait_serial(ZONE, 1)
    second.stop()
    publish(first, zl.small_zone(2), place)
    second.start()
    second.wait_serial(ZONE, 2, timeout=60)


def test_increments_from_any_version_that_was_ever_journaled(node, place):
    """The log of changes is kept small, so that older versions are only in the journal."""
    n = node(syncd='change-log = 65536')
    client = zl.Key('client.test')
    n.options['keys'] = [client]
    n.zones[ZONE], n.zone_options[ZONE] = [], {'transfer-keys': '{"client.test"}'}
    n.start()
    texts = {}
    for serial in range(1, 31):
        texts[serial] = zl.small_zone(serial, extra='\n'.join(f'h{serial}x{k} TXT "{"y" * 200}"' for k in range(20)))
        publish(n, texts[serial], place)
    n.journaled()
    for have in (29, 20, 10, 2, 1):
        z = dns.zone.from_text(texts[have], origin=ZONE, relativize=False)
        q, _ = dns.xfr.make_query(z, keyring=client.ring(), keyname=client.name, keyalgorithm=client.algorithm)
        assert q.question[0].rdtype == dns.rdatatype.IXFR
        dns.query.inbound_xfr('127.0.0.1', z, q, port=n.port, timeout=10)
        got = {(str(x).lower(), ttl, r.rdtype, r.to_digestable()) for x, ttl, r in z.iterate_rdatas()}
        assert got == zl.records(texts[30], ZONE), have
    zl.wait_for(lambda: len(sent(n)) == 5, 'the log to tell of five transfers')
    assert len(sent(n, 'kind=ixfr')) == 5


def test_who_may_transfer(node, place):
    """By key, by address, or not at all; a wrong key or none is refused, and nothing is said of the zone."""
    right, wrong = zl.Key('right.test'), zl.Key('wrong.test')
    n = node(keys=[right, wrong])
    n.zones[ZONE], n.zone_options[ZONE] = [], {'transfer-keys': '{"right.test"}'}
    n.zones['open.test'], n.zone_options['open.test'] = [], {'transfer-from': '{"127.0.0.0/8"}'}
    n.zones['far.test'], n.zone_options['far.test'] = [], {'transfer-from': '{"192.0.2.0/24"}'}
    n.start()
    for zone in (ZONE, 'open.test', 'far.test', 'closed.test'):
        publish(n, zl.small_zone(1, zone=zone), place, zone)

    def rcode(zone, key=None, rdtype='AXFR', tamper=None):
        q = dns.message.make_query(zone, rdtype)
        if rdtype == 'IXFR':
            q.authority.append(dns.rrset.from_text(zone + '.', 0, 'IN', 'SOA', '. . 0 0 0 0 0'))
        if key:
            q.use_tsig(key.ring(), key.name, algorithm=key.algorithm)
        wire = q.to_wire()
        if tamper:
            wire = tamper(wire)
        with dns.query.socket_factory(2, 1, 0) as s:
            s.settimeout(5)
            s.connect(('127.0.0.1', n.port))
            s.sendall(len(wire).to_bytes(2, 'big') + wire)
            size = int.from_bytes(s.recv(2), 'big')
            data = b''
            while len(data) < size:
                data += s.recv(size - len(data))
        return dns.rcode.to_text(data[3] & 15)

    for rdtype in ('AXFR', 'IXFR'):
        assert rcode(ZONE, right, rdtype) == 'NOERROR'
        assert rcode(ZONE, wrong, rdtype) == 'REFUSED'
        assert rcode(ZONE, None, rdtype) == 'REFUSED'
        assert rcode('open.test', None, rdtype) == 'NOERROR'
        assert rcode('open.test', wrong, rdtype) == 'NOERROR'
        assert rcode('far.test', None, rdtype) == 'REFUSED'
        assert rcode('closed.test', right, rdtype) == 'NOTAUTH'
        assert rcode('nowhere.test', right, rdtype) == 'NOTAUTH'
        assert rcode(ZONE, right, rdtype, lambda w: w[:-20] + bytes(20)) != 'NOERROR'
    assert zl.transfer(n.port, ZONE, right) == zl.records(zl.small_zone(1), ZONE)
    assert 'in none of the zone' in n.syncd.text()


def test_increments_by_datagram(node, place):
    """One SOA: up to date, or come by TCP. Refused to those who may not transfer."""
    n = node()
    n.zones['open.test'], n.zone_options['open.test'] = [], {'transfer-from': '{"127.0.0.0/8"}'}
    n.start()
    for zone in ('open.test', 'closed.test'):
        publish(n, zl.small_zone(5, zone=zone), place, zone)

    def asked(zone, have):
        q = dns.message.make_query(zone, 'IXFR')
        q.authority.append(dns.rrset.from_text(zone + '.', 0, 'IN', 'SOA', f'. . {have} 0 0 0 0'))
        return dns.query.udp(q, '127.0.0.1', port=n.port, timeout=5)
    for have in (5, 4):
        r = asked('open.test', have)
        assert [(x.rdtype, x[0].serial) for x in r.answer] == [(dns.rdatatype.SOA, 5)]
    assert asked('closed.test', 4).rcode() == dns.rcode.REFUSED


def by_datagram(n, zone, have, key=None, **edns):
    """[(type, serial of a SOA)]"""
    q = dns.message.make_query(zone, 'IXFR', **edns)
    q.authority.append(dns.rrset.from_text(zone + '.', 0, 'IN', 'SOA', f'. . {have} 0 0 0 0'))
    if key:
        q.use_tsig(key.ring(), key.name, algorithm=key.algorithm)
    r = dns.query.udp(q, '127.0.0.1', port=n.port, timeout=5, one_rr_per_rrset=True)
    return r, [(dns.rdatatype.to_text(x.rdtype), getattr(x[0], 'serial', None)) for x in r.answer]


def test_who_signs_gets_increments_by_datagram(node, place):
    """An address alone may be forged, so unsigned questions get the SOA alone, which says: come by TCP."""
    key = zl.Key()
    n = node(keys=[key])
    n.zones[ZONE], n.zone_options[ZONE] = [], {'transfer-keys': f'{{"{key.name}"}}', 'transfer-from': '{"127.0.0.0/8"}'}
    n.start()
    for serial in (5, 6):
        publish(n, zl.small_zone(serial), place, ZONE)
    r, records = by_datagram(n, ZONE, 5, key, use_edns=0, payload=1232)
    assert r.had_tsig and records[0] == records[-1] == ('SOA', 6) and ('SOA', 5) in records and ('TXT', None) in records, records
    assert by_datagram(n, ZONE, 5)[1] == [('SOA', 6)]
    assert by_datagram(n, ZONE, 6, key)[1] == [('SOA', 6)]
    assert by_datagram(n, ZONE, 4, key)[1] == [('SOA', 6)], 'nobody knows that version: come for the whole zone'
    publish(n, zl.small_zone(7, extra=''.join(f'h{i} A 192.0.2.1\n' for i in range(200))), place, ZONE)
    assert by_datagram(n, ZONE, 6, key)[1] == [('SOA', 7)], 'no room'
    with pytest.raises(dns.tsig.PeerBadSignature):
        by_datagram(n, ZONE, 6, zl.Key(key.name))
    with pytest.raises(dns.tsig.PeerBadKey):
        by_datagram(n, ZONE, 6, zl.Key('other.test'))


def test_a_transfer_says_how_long_it_holds(node, place):
    """RFC 7314: who transfers from us learns when we would stop to vouch for the zone."""
    n = node()
    n.zones[ZONE], n.zone_options[ZONE] = [], {'transfer-from': '{"127.0.0.0/8"}'}
    n.start()
    publish(n, zl.small_zone(5, expire=7777), place, ZONE)
    q = dns.message.make_query(ZONE, 'AXFR', use_edns=0, options=[dns.edns.GenericOption(9, b'')])
    r = dns.query.tcp(q, '127.0.0.1', port=n.port, timeout=5)
    assert [(int(o.otype), o.data) for o in r.options] == [(9, (7777).to_bytes(4, 'big'))]


def test_many_questions_on_one_connection(node, place):
    """A secondary asks for the SOA, then for the zone, then for others, all on one connection."""
    n = node()
    zones = [f'z{i}.test' for i in range(5)]
    for zone in zones:
        n.zones[zone], n.zone_options[zone] = [], {'transfer-from': '{"127.0.0.0/8"}'}
    n.start()
    for zone in zones:
        publish(n, zl.small_zone(3, zone=zone), place, zone)
    with dns.query.socket_factory(2, 1, 0) as s:
        s.settimeout(10)
        s.connect(('127.0.0.1', n.port))
        asked = [dns.message.make_query(z, t) for z in zones for t in ('SOA', 'AXFR', 'SOA')]
        s.sendall(b''.join(len(q.to_wire()).to_bytes(2, 'big') + q.to_wire() for q in asked))
        f = s.makefile('rb')
        for q in asked:
            records = []
            while True:
                r = dns.message.from_wire(f.read(int.from_bytes(f.read(2), 'big')), one_rr_per_rrset=True)
                assert r.id == q.id and r.rcode() == dns.rcode.NOERROR
                records += r.answer
                done = q.question[0].rdtype == dns.rdatatype.SOA or \
                    (len(records) > 1 and records[-1].rdtype == dns.rdatatype.SOA)
                if done:
                    break
            assert records[0].rdtype == dns.rdatatype.SOA and str(records[0].name) == str(q.question[0].name)


def test_syncd_away_means_servfail_for_transfers_only(node, place):
    n = node()
    n.zones[ZONE], n.zone_options[ZONE] = [], {'transfer-from': '{"127.0.0.0/8"}'}
    n.start()
    publish(n, zl.small_zone(1), place)
    n.syncd.kill()
    r = zl.ask(n.port, ZONE, 'AXFR', tcp=True)
    assert r.rcode() == dns.rcode.SERVFAIL
    assert n.serial(ZONE) == 1
    n.restart()
    assert zl.transfer(n.port, ZONE) == zl.records(zl.small_zone(1), ZONE)
