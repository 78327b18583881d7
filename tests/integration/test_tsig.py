"""Every TSIG algorithm, with a primary that has it too."""
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


def test_a_signed_probe_of_a_downstream_server_is_answered_signed(peer, node):
    """dnspython stands for a secondary that signs its SOA query."""
    key = zl.Key()
    n = node()
    p = peer('knot', key)
    p.write(ZONE, zl.small_zone(1))
    p.start()
    n.secondary_of(ZONE, p).start()
    n.wait_serial(ZONE, 1)
    for tcp in (False, True):
        r = signed(n, key, tcp)
        assert r.had_tsig and r.answer[0][0].serial == 1


def signed(n, key, tcp):
    import dns.message
    import dns.query
    q = dns.message.make_query(ZONE, 'SOA')
    q.use_tsig(key.ring(), key.name, algorithm=key.algorithm)
    return (dns.query.tcp if tcp else dns.query.udp)(q, '127.0.0.1', port=n.port, timeout=5)
