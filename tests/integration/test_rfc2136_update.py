"""UPDATE (RFC 2136) of zones of our own: by key, network, name and type; strict, durable, told on at once."""
import signal
import socket
import subprocess
import threading

import dns.message
import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update
import pytest
import secondaries
import zl

ZONE = 'example.test'


@pytest.fixture
def home(node, place):
    """home(zone_options...) starts a node with a zone of its own and two keys."""
    def make(policies, update, zone=None, **options):
        keys = [zl.Key('full.test'), zl.Key('acme.test')]
        n = node(keys=keys, extra=policies, **options)
        n.zones[ZONE], n.zone_options[ZONE] = [], {'update': update}
        n.start()
        f = place / 'zone'
        f.write_text(zone or zl.small_zone(1))
        n.zonectl('import', ZONE, f)
        n.wait_serial(ZONE, 1)
        n.full, n.acme = keys
        return n
    return make


FULL = 'update-policy "full" { keys = {"full.test"} types = {"SOA", "NS", "A", "AAAA", "TXT", "CNAME", "MX"} }'
ACME = 'update-policy "acme" { keys = {"acme.test"} names = {"_acme-challenge", "*.dyn"} types = {"TXT"} }'


def send(n, update, tcp=True):
    ask = dns.query.tcp if tcp else dns.query.udp
    return ask(update, '127.0.0.1', port=n.port, timeout=10)


def change(n, key=None, tcp=True, **records):
    """records: name -> (ttl, type, text)"""
    u = dns.update.UpdateMessage(ZONE, keyring=key.ring() if key else None, keyname=key.name if key else None,
                                 keyalgorithm=key.algorithm if key else None)
    for name, (ttl, rdtype, text) in records.items():
        u.add(name.replace('_dot_', '.'), ttl, rdtype, text)
    return send(n, u, tcp).rcode()


def raw(port, wire):
    """The octets of the answer: one that isn't signed, to a question that was, is no message for dnspython."""
    with socket.create_connection(('127.0.0.1', port), timeout=10) as s:
        s.sendall(len(wire).to_bytes(2, 'big') + wire)
        with s.makefile('rb') as f:
            return f.read(int.from_bytes(f.read(2), 'big'))


def by(key):
    return dns.update.UpdateMessage(ZONE, keyring=key.ring(), keyname=key.name, keyalgorithm=key.algorithm)


def test_a_record_is_there_when_the_answer_is(home):
    n = home(FULL, '{"full"}')
    for tcp in (True, False):
        serial = n.serial(ZONE)
        assert change(n, n.full, tcp, **{f'new{int(tcp)}': (60, 'A', '192.0.2.77')}) == dns.rcode.NOERROR
        n.wait_serial(ZONE, serial + 1)
        assert n.ask(f'new{int(tcp)}.{ZONE}', 'A').answer[0][0].address == '192.0.2.77'
    n.journaled()
    newest = n.log(ZONE)[0]
    assert newest['origin'] == 'update' and newest['key'].rstrip('.') == 'full.test'
    assert 'a zone is changed by an update' in n.syncd.text()
    n.verify()


def test_what_is_told_at_the_stop_is_so_after_the_next_start(home):
    """Updates that wait are answered: done and there, or SERVFAIL and not there; none is left without an answer."""
    n = home(FULL, '{"full"}')
    answers, ready = {}, threading.Barrier(61)

    def one(i):
        ready.wait()
        answers[i] = change(n, n.full, **{f'stop{i}': (60, 'A', '192.0.2.9')})
    threads = [threading.Thread(target=one, args=(i,)) for i in range(60)]
    for t in threads:
        t.start()
    serial = n.serial(ZONE)
    ready.wait()
    zl.wait_for(lambda: n.serial(ZONE) > serial, 'the first of them', step=0)
    n.syncd.stop()
    for t in threads:
        t.join()
    assert set(answers) == set(range(60)) and set(answers.values()) <= {dns.rcode.NOERROR, dns.rcode.SERVFAIL}, answers
    n.syncd.start()
    zl.wait_for(n.ready, 'syncd to be ready again')
    n.wait_serial(ZONE, serial + list(answers.values()).count(dns.rcode.NOERROR))
    there = {i for i in range(60) if n.ask(f'stop{i}.{ZONE}', 'A').answer}
    assert there == {i for i, rcode in answers.items() if rcode == dns.rcode.NOERROR}
    n.verify()


def test_secondaries_follow_an_update_at_once(home, place):
    n = home(FULL, '{"full"}')
    s = secondaries.SECONDARIES['knot'](place / 'knot', n)
    n.secondaries['knot'] = s
    n.zone_options[ZONE]['secondaries'] = '{"knot"}'
    n.write_config()
    n.syncd.signal(signal.SIGHUP)
    zl.wait_for(lambda: 'configuration reloaded' in n.syncd.text(), 'the reload')
    s.start(ZONE)
    try:
        s.wait_serial(ZONE, 1)
        assert change(n, n.full, told=(60, 'TXT', 'x')) == dns.rcode.NOERROR
        s.wait_serial(ZONE, 2)
    finally:
        s.stop()


def test_who_may_change_what(home):
    """Each policy opens what it says, and nothing else; a key that is not in a policy opens nothing."""
    n = home(ACME + FULL, '{"acme"}')
    refused, done = dns.rcode.REFUSED, dns.rcode.NOERROR
    table = [
        (n.acme, {'_acme-challenge': (60, 'TXT', 'a')}, done),
        (n.acme, {'host_dot_dyn': (60, 'TXT', 'b')}, done),
        (n.acme, {'a_dot_b_dot_dyn': (60, 'TXT', 'c')}, done),
        (n.acme, {'dyn': (60, 'TXT', 'd')}, refused),
        (n.acme, {'_acme-challenge': (60, 'A', '192.0.2.1')}, refused),
        (n.acme, {'www': (60, 'TXT', 'e')}, refused),
        (n.acme, {'_acme-challenge': (60, 'TXT', 'f'), 'www': (60, 'TXT', 'g')}, refused),
        (n.full, {'www': (60, 'TXT', 'h')}, refused),
        (None, {'_acme-challenge': (60, 'TXT', 'i')}, refused),
    ]
    for key, records, want in table:
        assert change(n, key, **records) == want, records
    r = n.ask(f'_acme-challenge.{ZONE}', 'TXT')
    assert [x.strings for x in r.answer[0]] == [(b'a',)], 'one that is refused in part changes nothing'
    assert n.serial(ZONE) == 4
    text = n.syncd.text()
    assert text.count('an update is refused') >= 6 and n.acme.secret not in text

    wrong = zl.Key('acme.test')
    u = by(wrong)
    u.add('_acme-challenge', 60, 'TXT', 'z')
    with pytest.raises((dns.tsig.PeerBadSignature, dns.message.UnknownTSIGKey)):
        send(n, u)
    u = dns.update.UpdateMessage('nowhere.test', keyring=n.acme.ring(), keyname=n.acme.name)
    u.add('x', 60, 'TXT', 'z')
    assert send(n, u).rcode() == dns.rcode.NOTAUTH


def test_a_network_may_be_enough(home):
    n = home('update-policy "here" { from = {"127.0.0.0/8"} names = {"www"} types = {"A"} }'
             'update-policy "there" { from = {"192.0.2.0/24"} }', '{"here", "there"}')
    assert change(n, None, www=(60, 'A', '192.0.2.200')) == dns.rcode.NOERROR
    assert change(n, None, mail=(60, 'A', '192.0.2.200')) == dns.rcode.REFUSED


def test_prerequisites(home):
    n = home(FULL, '{"full"}')
    www = n.ask(f'www.{ZONE}', 'A').answer[0][0].address

    def ask(want, *prerequisites):
        u = by(n.full)
        for f in prerequisites:
            f(u)
        u.add(f'p{want}', 60, 'A', '192.0.2.9')
        before = n.serial(ZONE)
        assert send(n, u).rcode() == want
        if want:
            assert n.serial(ZONE) == before
        else:
            n.wait_serial(ZONE, before + 1)

    ask(dns.rcode.NXDOMAIN, lambda u: u.present('absent'))
    ask(dns.rcode.YXDOMAIN, lambda u: u.absent('www'))
    ask(dns.rcode.NXRRSET, lambda u: u.present('www', 'MX'))
    ask(dns.rcode.YXRRSET, lambda u: u.absent('www', 'A'))
    ask(dns.rcode.NXRRSET, lambda u: u.present('www', 'A', '192.0.2.250'))
    ask(dns.rcode.NXRRSET, lambda u: u.present('www', 'A', www), lambda u: u.present('www', 'A', '192.0.2.250'))
    ask(dns.rcode.NOTZONE, lambda u: u.present('www.elsewhere.'))
    ask(dns.rcode.NOERROR, lambda u: u.present('www'), lambda u: u.absent('absent'), lambda u: u.present('www', 'A'),
        lambda u: u.absent('www', 'MX'), lambda u: u.present('www', 'A', www))


def test_what_a_zone_cannot_be_without_stays(home):
    """RFC 2136 3.4.2: SOA and the last NS of the apex; a CNAME never stands beside other data."""
    n = home(FULL, '{"full"}')
    before = n.dump(ZONE)
    u = by(n.full)
    u.delete('@', 'SOA')
    u.delete('@', 'NS')
    u.add('www', 60, 'CNAME', 'elsewhere.')
    assert send(n, u).rcode() == dns.rcode.NOERROR
    assert n.dump(ZONE) == before and n.serial(ZONE) == 1, 'nothing changes, and so does the serial'

    u = by(n.full)
    u.delete('www')
    u.add('www', 60, 'CNAME', 'elsewhere.')
    assert send(n, u).rcode() == dns.rcode.NOERROR
    n.wait_serial(ZONE, 2)
    assert str(n.ask(f'www.{ZONE}', 'CNAME').answer[0][0].target) == 'elsewhere.'

    u = by(n.full)
    u.replace('www', 60, 'CNAME', 'other.')
    u.add('a', 10, 'A', '192.0.2.1')
    u.add('a', 20, 'A', '192.0.2.2')
    assert send(n, u).rcode() == dns.rcode.NOERROR
    n.wait_serial(ZONE, 3)
    assert n.ask(f'a.{ZONE}', 'A').answer[0].ttl == 20, 'one TTL for the whole RRset'
    u = by(n.full)
    u.replace('@', 3600, 'SOA', f'ns.{ZONE}. host.{ZONE}. 100 3600 900 604800 300')
    assert send(n, u).rcode() == dns.rcode.NOERROR
    n.wait_serial(ZONE, 100)
    n.verify()


def test_a_signed_zone_is_not_touched(home):
    rrsig = '@ RRSIG SOA 13 2 3600 20380101000000 20250101000000 1 example.test. c2lnbmF0dXJl\n'
    n = home(FULL, '{"full"}', zone=zl.small_zone(1, extra=rrsig))
    assert change(n, n.full, new=(60, 'A', '192.0.2.1')) == dns.rcode.REFUSED
    assert n.serial(ZONE) == 1


def test_many_at_once_lose_nothing(home):
    """Ten clients, each with its own names: each answer stands for a version, and none undoes another."""
    n = home(FULL, '{"full"}')
    failed = []

    def client(i):
        for k in range(10):
            rcode = change(n, n.full, **{f'c{i}-{k}': (60, 'A', f'192.0.2.{i}')})
            if rcode != dns.rcode.NOERROR:
                failed.append((i, k, rcode))
    threads = [threading.Thread(target=client, args=(i,)) for i in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed
    n.wait_serial(ZONE, 101)
    for i in range(10):
        for k in range(10):
            assert n.ask(f'c{i}-{k}.{ZONE}', 'A').answer
    n.journaled()
    assert len(n.log(ZONE)) == 101
    n.verify()


def test_what_was_answered_survives_kill_9(home):
    n = home(FULL, '{"full"}')
    for i in range(5):
        assert change(n, n.full, **{f'k{i}': (60, 'A', '192.0.2.1')}) == dns.rcode.NOERROR
        n.kill()
        n.restart()
        n.wait_serial(ZONE, 2 + i)
        assert n.ask(f'k{i}.{ZONE}', 'A').answer
    n.verify()


def test_mistakes_in_the_configuration_are_named(node):
    n = node()
    for extra, words in [
            ('update-policy "p" { }', 'needs keys, clients or from'),
            ('update-policy "p" { keys = {"none"} }', "there is no key 'none'"),
            ('update-policy "p" { from = {"127.0.0.1"} types = {"AXFR"} }', "'AXFR' is no type of a zone"),
            ('update-policy "p" { from = {"127.0.0.1"} names = {"a..b"} }', 'empty label'),
            ('zone "z.test" { update = {"q"} }', "there is no update-policy 'q'"),
            ('update-policy "p" { from = {"::1"} } primary "x" { address = "::1" } zone "z.test" { primaries = {"x"} update = {"p"} }',
             'is changed at its primary')]:
        n.options['extra'] = extra
        n.write_config()
        r = subprocess.run([zl.BIN / 'syncd', '--check-config', '-c', n.conf], capture_output=True, text=True)
        assert r.returncode != 0 and words in r.stderr and 'zl.conf:' in r.stderr, (extra, r.stderr)


def test_a_secondary_passes_updates_on(home, node):
    """The client knows the key of the primary; the node between knows nothing, and asks whom it can reach."""
    n = home(FULL, '{"full"}')
    near, dead = node('near'), zl.free_port()
    near.secondary_of(ZONE, n, **{'forward-updates': 'yes'})
    near.primaries['gone'] = (f'127.0.0.1@{dead}', None)
    near.zones[ZONE].insert(0, 'gone')
    n.secondaries['near'] = near
    n.zone_options[ZONE]['secondaries'] = '{"near"}'
    n.write_config()
    n.syncd.signal(signal.SIGHUP)
    zl.wait_for(lambda: 'configuration reloaded' in n.syncd.text(), 'the reload')
    near.start()
    near.wait_serial(ZONE, 1)
    for tcp in (True, False):
        assert change(near, n.full, tcp, **{f'far{int(tcp)}': (60, 'TXT', 'x')}) == dns.rcode.NOERROR, 'signed by the primary'
    near.wait_serial(ZONE, 3)
    assert near.ask(f'far1.{ZONE}', 'TXT').answer
    u = by(n.full)
    u.absent('www')
    assert send(near, u).rcode() == dns.rcode.YXDOMAIN
    assert change(near, None, x=(60, 'TXT', 'x')) == dns.rcode.REFUSED, 'unsigned ones stay here'
    assert n.log(ZONE)[0]['who'].startswith('127.0.0.1@')

    n.kill()
    u = by(n.full)
    u.add('x', 60, 'TXT', 'y')
    wire = u.to_wire()
    assert dns.message.from_wire(raw(near.port, wire)).rcode() == dns.rcode.SERVFAIL
    assert 'an update cannot be forwarded' in near.syncd.text()
    n.restart()
