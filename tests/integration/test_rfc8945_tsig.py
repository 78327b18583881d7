"""TSIG (RFC 8945): every algorithm with a primary that has it too, and signed questions of every kind to us."""
import socket
import time

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.tsig
import pytest
import zl

ZONE = 'example.test'
ALGORITHMS = ['hmac-md5', 'hmac-sha1', 'hmac-sha224', 'hmac-sha256', 'hmac-sha384', 'hmac-sha512']


@pytest.mark.parametrize('algorithm', ALGORITHMS)
@pytest.mark.parametrize('name', ['knot', 'bind9'])
def test_transfer_and_notify_signed_with(algorithm, name, peer, node):
    key = zl.Key(f'{algorithm}.test', algorithm)
    n = node()
    p = peer(name, key).notify_to(n)
    p.write(ZONE, zl.small_zone(1))
    p.start()
    n.secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h'}).start()
    n.wait_serial(ZONE, 1)
    p.load(ZONE, zl.small_zone(2))
    n.wait_serial(ZONE, 2)  # only a NOTIFY that verified can bring it
    assert n.log(ZONE)[0]['key'].rstrip('.') == key.name


ZONE_TEXT = zl.small_zone(1, extra='big TXT "' + '" "'.join('x' * 200 for _ in range(4)) + '"\n')


@pytest.fixture
def keyed(peer, node):
    """A node that serves a zone and knows a key."""
    key = zl.Key()
    p = peer('knot', key)
    p.write(ZONE, ZONE_TEXT)
    p.start()
    n = node().secondary_of(ZONE, p).start()
    n.wait_serial(ZONE, 1)
    return n, key


def question(key, name=ZONE, rdtype='SOA', **options):
    q = dns.message.make_query(name, rdtype, **options)
    q.use_tsig(key.ring(), key.name + '.', algorithm=key.algorithm)
    return q


def ask(n, q, tcp=False):
    """dnspython verifies the answer's signature."""
    return (dns.query.tcp if tcp else dns.query.udp)(q, '127.0.0.1', port=n.port, timeout=5)


@pytest.mark.parametrize('tcp', [False, True])
def test_a_signed_probe_of_a_downstream_server_is_answered_signed(keyed, tcp):
    n, key = keyed
    r = ask(n, question(key), tcp)
    assert r.had_tsig and r.rcode() == dns.rcode.NOERROR and r.answer[0][0].serial == 1


@pytest.mark.parametrize('tcp', [False, True])
def test_ordinary_questions_may_be_signed(keyed, tcp):
    """5.3: the answer is the one that anybody gets, and signed."""
    n, key = keyed
    for name, rdtype in (('www', 'A'), ('www', 'MX'), ('no.such', 'A'), ('www', 'ANY')):
        for edns in (False, 0):
            q = question(key, f'{name}.{ZONE}', rdtype, use_edns=edns)
            r, plain = ask(n, q, tcp), ask(n, dns.message.make_query(f'{name}.{ZONE}', rdtype, use_edns=edns), tcp)
            assert r.had_tsig and not plain.had_tsig
            assert (r.rcode(), r.answer, r.authority, r.additional) == (plain.rcode(), plain.answer, plain.authority, plain.additional)
    r = ask(n, question(key, 'www.elsewhere.test', 'A'), tcp)
    assert r.had_tsig and r.rcode() == dns.rcode.REFUSED


def test_there_is_room_for_the_signature(keyed):
    """5.3: what does not fit with it is cut off; by TCP it comes whole."""
    n, key = keyed
    q = question(key, f'big.{ZONE}', 'TXT', use_edns=0, payload=900)
    r = ask(n, q)
    assert r.had_tsig and r.flags & dns.flags.TC
    assert ask(n, q, tcp=True).answer
    assert ask(n, dns.message.make_query(f'big.{ZONE}', 'TXT', use_edns=0, payload=900)).answer, 'it fits without'


@pytest.mark.parametrize('tcp', [False, True])
def test_bad_signatures(keyed, tcp, monkeypatch):
    """5.2: an unknown key, a wrong secret, a wrong time; what the rcode of each is, and that no data comes with it."""
    n, key = keyed
    stranger, impostor = zl.Key('stranger.test'), zl.Key(key.name)
    for k, error in ((stranger, dns.tsig.PeerBadKey), (impostor, dns.tsig.PeerBadSignature)):
        with pytest.raises(error):
            ask(n, question(k, f'www.{ZONE}', 'A'), tcp)
    now = time.time()
    for off in (-3600, 3600):
        q = question(key, f'www.{ZONE}', 'A')
        with monkeypatch.context() as m:
            m.setattr(time, 'time', lambda: now + off)
            wire = q.to_wire()
        with pytest.raises(dns.tsig.PeerBadTime):
            raw(n, wire, tcp, q)
    assert ask(n, question(key), tcp).answer


def raw(n, wire, tcp, q):
    if tcp:
        with socket.create_connection(('127.0.0.1', n.port), timeout=5) as s:
            s.sendall(len(wire).to_bytes(2, 'big') + wire)
            data = b''
            while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], 'big'):
                data += s.recv(65535)
            data = data[2:]
    else:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.sendto(wire, ('127.0.0.1', n.port))
            data = s.recv(65535)
    return dns.message.from_wire(data, keyring=q.keyring, request_mac=q.request_mac)


def test_what_is_changed_on_the_way_is_not_answered(keyed):
    """Each octet of a signed question in turn: never an answer with data."""
    n, key = keyed
    wire = question(key, f'www.{ZONE}', 'A').to_wire()
    for at in range(2, len(wire), 3):
        bad = bytearray(wire)
        bad[at] ^= 1
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.connect(('127.0.0.1', n.port))
            s.send(bytes(bad))
            s.send(dns.message.make_query(ZONE, 'SOA', id=1).to_wire() if bad[2] & 0x80 else b'')
            r = s.recv(65535)
            if bad[2] & 0x80:
                assert r[:2] == b'\0\1', 'a response is not answered'
                continue
        assert r[2] >> 3 & 15 != 0 or r[3] & 15 != 0 or r[6:8] == b'\0\0', (at, r)
