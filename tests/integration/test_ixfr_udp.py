"""Increments asked for by UDP (RFC 1995 2), where the operator wants it: one datagram, or TCP after all."""
import re

import dns.flags
import dns.message
import dns.rcode
import hostile
import pytest
import zl

ZONE = 'example.test'
SLOW = {'refresh-min': '1h', 'retry-min': '1h', 'retry-max': '2h'}
WHOLE = [lambda t: hostile.step(t, 10, 12, 80, 82)]


def datagrams(n):
    """What came of the questions by UDP, as the metrics say."""
    text = n.zonectl('metrics').stdout
    return {k: int(v) for k, v in re.findall(r'^zoneledger_ixfr_udp_total\{outcome="([^"]+)"\} (\d+)$', text, re.M) if v != '0'}


def signed(t, message):
    """The answer with the TSIG that a good primary gives it."""
    message.use_tsig(t.primary.key.ring(), keyname=t.primary.key.name)
    message.request_mac = t.query.mac
    return message


@pytest.fixture
def by_udp(node, primary):
    """A node that has serial 10, and a scripted primary with 12."""
    def make(key=None, **options):
        n = node(primary_options={'hostile': 'ixfr-udp = yes'}, syncd='probe-timeout = 1s', **options)
        p = primary(zl.small_zone(10), key)
        n.secondary_of(ZONE, p, **SLOW).start()
        n.wait_serial(ZONE, 10)
        p.text = zl.small_zone(12, www='192.0.2.82')
        p.ixfr_script = hostile.increments(*WHOLE)
        return n, p
    return make


def refresh(n, p):
    n.zonectl('refresh', ZONE)
    n.wait_serial(ZONE, 12)
    assert zl.records(n.dump(ZONE), ZONE) == zl.records(p.text, ZONE)


def origin(n):
    n.journaled()
    return n.log(ZONE)[0]['origin'], n.log(ZONE)[0].get('transport')


def test_a_change_in_one_datagram_needs_no_connection(by_udp):
    n, p = by_udp()
    p.udp_script = hostile.increments(*WHOLE)
    refresh(n, p)
    assert (p.datagrams, p.increments, p.transfers) == (1, 0, 1)
    assert datagrams(n) == {'taken': 1}
    line = next(x for x in n.syncd.text().splitlines() if 'a new version is committed' in x and 'kind=ixfr' in x)
    assert 'transport=udp' in line and 'from=10 to=12' in line
    assert origin(n)[0] == 'ixfr'
    n.verify()


def test_a_small_zone_in_one_datagram_is_taken_too(by_udp):
    """An answer to IXFR may be the whole zone (RFC 1995 4), by UDP too."""
    n, p = by_udp()
    p.udp_script = lambda t: t.send(t.good())
    refresh(n, p)
    assert (p.datagrams, p.increments, p.transfers) == (1, 0, 1) and origin(n)[0] == 'axfr'


def test_who_is_current_is_told_so(by_udp):
    n, p = by_udp()

    def current(t):
        p.text = zl.small_zone(10)
        t.send(t.message([hostile.soa_with(t, 10)]))
    p.udp_script = current
    n.zonectl('refresh', ZONE)
    zl.wait_for(lambda: datagrams(n) == {'taken': 1} and n.zone(ZONE)['primary_serial'] == 10, 'the answer to be taken')
    assert n.serial(ZONE) == 10 and (p.increments, p.transfers) == (0, 1) and n.zone(ZONE)['failures'] == 0


def truncated(t):
    m = t.message([t.soa])
    m.flags |= dns.flags.TC
    t.send(m)


def other_question(t):
    m = t.message([t.soa, *hostile.step(t, 10, 12, 80, 66), t.soa])
    m.question = dns.message.make_query('other.test', 'IXFR').question
    t.send(m)


BY_TCP = {  # name -> (what comes by UDP, how the metrics call it)
    'the newer SOA alone: no room': (lambda t: t.send(t.message([t.soa])), 'too large'),
    'truncated': (truncated, 'too large'),
    'silence': (None, 'no answer'),
    'refused': (lambda t: t.send(t.message([], rcode=dns.rcode.REFUSED)), 'unusable'),
    'not implemented': (lambda t: t.send(t.message([], rcode=dns.rcode.NOTIMP)), 'unusable'),
    'FORMERR': (lambda t: t.send(t.message([], rcode=dns.rcode.FORMERR)), 'unusable'),
    'no records': (lambda t: t.send(t.message([])), 'unusable'),
    'not to its end': (lambda t: t.send(t.message([t.soa, *WHOLE[0](t)])), 'unusable'),
    'more behind its end': (lambda t: t.send(t.message([t.soa, *WHOLE[0](t), t.soa, hostile.www(99)])), 'unusable'),
    'a gap': (hostile.increments(lambda t: hostile.step(t, 10, 11, 80, 81), lambda t: hostile.step(t, 12, 13, 81, 82)), 'unusable'),
    'half of it': (lambda t: t.send_wire(t.message([t.soa, *WHOLE[0](t), t.soa]).to_wire()[:60]), 'no answer'),
    'another question': (other_question, 'no answer'),
    'another ID': (lambda t: t.send_wire(b'\0\0' + t.message([t.soa, *WHOLE[0](t), t.soa]).to_wire()[2:]), 'no answer'),
}


def test_whatever_else_comes_the_answer_by_tcp_counts(by_udp):
    n, p = by_udp()
    wrong = []
    for name, (script, outcome) in BY_TCP.items():
        p.text, p.udp_script, before = zl.small_zone(12, www='192.0.2.82'), script, datagrams(n).get(outcome, 0)
        increments, transfers = p.increments, p.transfers
        refresh(n, p)
        if datagrams(n).get(outcome, 0) != before + 1:
            wrong.append(f'{name}: not {outcome}: {datagrams(n)}')
        if (p.increments, p.transfers) != (increments + 1, transfers):
            wrong.append(f'{name}: {p.increments - increments} increments and {p.transfers - transfers} zones by TCP')
        p.text = zl.small_zone(10)
        n.zonectl('retransfer', ZONE)
        n.wait_serial(ZONE, 10)
    assert not wrong, '\n'.join(wrong)
    n.verify()


def test_a_change_that_does_not_fit_is_followed_by_the_whole_zone(by_udp):
    """The same strictness as by TCP: nothing of it is kept, one AXFR, counted with its reason."""
    n, p = by_udp()
    p.udp_script = hostile.increments(lambda t: hostile.step(t, 10, 12, 79, 82))
    refresh(n, p)
    assert (p.datagrams, p.increments, p.transfers) == (1, 0, 2)
    assert 'zoneledger_transfers_in_fallbacks_total{reason="content"} 1' in n.zonectl('metrics').stdout
    line = next(x for x in n.syncd.text().splitlines() if 'the whole zone is fetched' in x)
    assert all(x in line for x in ('kind=ixfr', 'transport=udp', 'reason=content', 'primary=hostile', 'records=', 'octets=', 'ms=')), line
    assert n.json('primary', 'list')[0]['fallbacks'] == 1
    assert '1 fell back' in n.zonectl('primary', 'list').stdout


def test_with_a_key_only_what_is_signed_is_taken(by_udp):
    n, p = by_udp(zl.Key())

    def unsigned(t):
        t.send(t.message([t.soa, *hostile.step(t, 10, 12, 80, 66), t.soa]))

    def good(t):
        t.send(signed(t, t.message([t.soa, *WHOLE[0](t), t.soa])))

    def bad_mac(t):
        wire = bytearray(signed(t, t.message([t.soa, *hostile.step(t, 10, 12, 80, 66), t.soa])).to_wire())
        wire[-10] ^= 1
        t.send_wire(bytes(wire))
    p.ixfr_script = good
    for script, by_tcp in ((unsigned, 1), (bad_mac, 1), (good, 0)):
        p.text, p.udp_script, increments = zl.small_zone(12, www='192.0.2.82'), script, p.increments
        refresh(n, p)
        assert p.increments == increments + by_tcp, script.__name__
        p.text = zl.small_zone(10)
        n.zonectl('retransfer', ZONE)
        n.wait_serial(ZONE, 10)
    assert datagrams(n) == {'unusable': 2, 'taken': 1}


def test_nobody_is_asked_by_udp_unless_it_is_wanted(node, primary):
    n, p = node(), primary(zl.small_zone(10))
    n.secondary_of(ZONE, p, **SLOW).start()
    n.wait_serial(ZONE, 10)
    p.text, p.ixfr_script = zl.small_zone(12, www='192.0.2.82'), hostile.increments(*WHOLE)
    refresh(n, p)
    assert (p.datagrams, p.increments) == (0, 1)


@pytest.mark.parametrize('key', [None, zl.Key()], ids=['plain', 'tsig'])
@pytest.mark.parametrize('name', ['bind9', 'knot', 'nsd', 'pdns'])
def test_real_primaries(name, key, peer, node):
    """NSD answers with the change; BIND and Knot with the SOA alone, so that we come by TCP; PowerDNS has no increments. The zone follows."""
    n = node(primary_options={name: 'ixfr-udp = yes'})
    p = peer(name, key, ixfr=True).notify_to(n)
    p.write(ZONE, zl.small_zone(1))
    p.start()
    n.secondary_of(ZONE, p, **SLOW).start()
    n.wait_serial(ZONE, 1)
    p.load(ZONE, zl.small_zone(2, www='192.0.2.82'))
    n.wait_serial(ZONE, 2)
    assert zl.records(n.dump(ZONE), ZONE) == zl.records(zl.small_zone(2, www='192.0.2.82'), ZONE)
    came = datagrams(n)
    assert came == {'unusable' if name in ('pdns', 'nsd') else 'too large': 1} or (name == 'nsd' and came == {'taken': 1}), came
    if name == 'nsd' and 'names a record twice' in n.syncd.text():  # NSD 4.6 adds what is there when it compares files itself
        assert n.log(ZONE)[0]['origin'] == 'axfr'
    elif name != 'pdns':
        assert n.log(ZONE)[0]['origin'] == 'ixfr' and 'cannot be used' not in n.syncd.text()
    n.verify()


def test_our_own_node_gives_it_to_who_signs(node):
    """One of ours as the primary: by UDP only with a key, since addresses can be forged (RFC 5358)."""
    key = zl.Key()
    first = node('first')
    first.key = key
    second = node('second', primary_options={'first': 'ixfr-udp = yes'})
    path = first.path / 'zone.text'
    path.write_text(zl.small_zone(1))
    first.options['keys'] = [key]
    first.zones[ZONE] = []
    first.zone_options[ZONE] = {'transfer-keys': '{"' + key.name + '"}'}
    first.start()
    first.zonectl('import', ZONE, str(path))
    first.wait_serial(ZONE, 1)
    second.secondary_of(ZONE, first, **SLOW).start()
    second.wait_serial(ZONE, 1)
    path.write_text(zl.small_zone(2, www='192.0.2.82'))
    first.zonectl('import', ZONE, str(path))
    first.wait_serial(ZONE, 2)
    second.zonectl('refresh', ZONE)
    second.wait_serial(ZONE, 2)
    assert datagrams(second) == {'taken': 1} and second.log(ZONE)[0]['origin'] == 'ixfr'
