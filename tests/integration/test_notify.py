"""Who may announce a change, and what a flood of announcements does."""
import socket
import time

import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import hostile
import zl

ZONE = 'example.test'


def notify(port, zone=ZONE, key=None, soa=None, source='127.0.0.1', rdtype='SOA', tcp=False):
    m = dns.message.make_query(zone, rdtype)
    m.set_opcode(dns.opcode.NOTIFY)
    m.flags = (m.flags & ~dns.flags.RD) | dns.flags.AA
    if soa:
        m.answer.append(dns.rrset.from_text(zone + '.', 300, 'IN', 'SOA', f'a. b. {soa} 1 2 3 4'))
    if key:
        m.use_tsig(key.ring(), key.name, algorithm=key.algorithm)
    f = dns.query.tcp if tcp else dns.query.udp
    try:
        return f(m, '127.0.0.1', port=port, timeout=5, source=source).rcode()
    except (dns.tsig.PeerError, dns.message.UnknownTSIGKey):
        return dns.rcode.NOTAUTH  # BADKEY or BADSIG, as dnspython reports them


def made(peer, node, key=None, **options):
    n = node(**options)
    p = peer('knot', key)
    p.write(ZONE, zl.small_zone(1))
    p.start()
    n.secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h'}).start()
    n.wait_serial(ZONE, 1)
    return n, p


def test_strangers_are_refused(peer, node):
    n, p = made(peer, node)
    p.load(ZONE, zl.small_zone(2))
    assert notify(n.port, source='127.0.0.9') == dns.rcode.REFUSED
    assert notify(n.port, 'unknown.test') in (dns.rcode.REFUSED, dns.rcode.NOTAUTH)
    assert notify(n.port, key=zl.Key()) == dns.rcode.NOTAUTH, 'a key nobody knows'
    assert n.serial(ZONE) == 1
    assert notify(n.port) == dns.rcode.NOERROR, 'the primary itself'
    n.wait_serial(ZONE, 2)
    p.load(ZONE, zl.small_zone(3))
    zl.wait_for(lambda: zl.serial(p.port, ZONE) == 3, 'the primary to load serial 3')
    assert notify(n.port, tcp=True) == dns.rcode.NOERROR
    n.wait_serial(ZONE, 3)


def test_by_tcp_each_is_answered_as_it_is_meant(peer, node):
    """Those over the rate too, which by UDP are dropped: whoever waits on a connection is told."""
    n, _ = made(peer, node)
    assert notify(n.port, source='127.0.0.9', tcp=True) == dns.rcode.REFUSED
    assert notify(n.port, 'unknown.test', tcp=True) == dns.rcode.NOTAUTH
    assert notify(n.port, key=zl.Key(), tcp=True) == dns.rcode.NOTAUTH, 'a key nobody knows'
    q = dns.message.make_query(ZONE, 'SOA')
    q.set_opcode(dns.opcode.NOTIFY)
    with socket.create_connection(('127.0.0.1', n.port), 20, ('127.0.0.9', 0)) as s:
        for _ in range(60):
            dns.query.send_tcp(s, q)
            assert dns.query.receive_tcp(s)[0].rcode() == dns.rcode.REFUSED
    assert 'verdict="rate limited"} 0' not in n.zonectl('metrics').stdout
    assert notify(n.port, tcp=True) == dns.rcode.NOERROR, 'the primary is not held up by that'


def test_a_primary_with_a_key_must_sign(peer, node):
    key = zl.Key()
    n, p = made(peer, node, key)
    p.load(ZONE, zl.small_zone(2))
    zl.wait_for(lambda: zl.serial(p.port, ZONE) == 2, 'the primary to load serial 2')
    assert notify(n.port) == dns.rcode.REFUSED, 'unsigned'
    forged = zl.Key(key.name)  # the right name, another secret
    assert notify(n.port, key=forged) == dns.rcode.NOTAUTH
    assert n.serial(ZONE) == 1
    assert notify(n.port, key=key) == dns.rcode.NOERROR
    n.wait_serial(ZONE, 2)


def test_a_lie_about_the_serial_is_only_a_hint(peer, node):
    n, _ = made(peer, node)
    for _ in range(20):
        assert notify(n.port, soa=4000) == dns.rcode.NOERROR
    n.verify()
    assert n.serial(ZONE) == 1 and len(n.log(ZONE)) == 1, 'no endless transfers'


def test_a_flood_is_coalesced(peer, node):
    n, p = made(peer, node)
    before = zl.serial(p.port, ZONE)
    q = dns.message.make_query(ZONE, 'SOA')
    q.set_opcode(dns.opcode.NOTIFY)
    q.flags = dns.flags.AA
    import socket
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for i in range(1000):
            q.id = i + 1
            s.sendto(q.to_wire(), ('127.0.0.1', n.port))
    p.load(ZONE, zl.small_zone(before + 1))
    zl.wait_for(lambda: zl.serial(p.port, ZONE) == before + 1, 'the primary to load')
    assert notify(n.port) == dns.rcode.NOERROR
    n.wait_serial(ZONE, before + 1)
    assert len(n.log(ZONE)) == 2
    assert n.ask(f'www.{ZONE}', 'A').answer


def test_a_flood_leads_to_few_probes(node):
    n = node()
    p = hostile.Primary(zl.small_zone(1))
    try:
        n.secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h'}).start()
        n.wait_serial(ZONE, 1)
        before, began = p.probes, time.monotonic()
        for _ in range(500):
            assert notify(n.port) == dns.rcode.NOERROR
        p.text = zl.small_zone(2)
        assert notify(n.port) == dns.rcode.NOERROR
        n.wait_serial(ZONE, 2)
        seconds = time.monotonic() - began
        # One round at once, then one each half second, each of a probe by UDP and at most one by TCP.
        assert p.probes - before <= 2 * (2 + 2 * seconds), f'{p.probes - before} probes in {seconds:.1f} s'
        assert p.transfers == 2
    finally:
        p.stop()


def test_a_notify_key_is_taken_from_any_address(peer, node):
    key, other = zl.Key('notify.test'), zl.Key('other.test')
    n = node()
    for k in (key, other):
        secret = n.path / f'{k.name}.secret'
        secret.write_text(k.secret)
        secret.chmod(0o600)
        n.options['extra'] = n.options.get('extra', '') + (
            f'key "{k.name}" {{ algorithm = "{k.algorithm}" secret-file = "{secret}" }}\n')
    p = peer('knot')
    p.write(ZONE, zl.small_zone(1))
    p.start()
    n.secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h', 'notify-keys': '{"notify.test"}'}).start()
    n.wait_serial(ZONE, 1)
    p.load(ZONE, zl.small_zone(2))
    zl.wait_for(lambda: zl.serial(p.port, ZONE) == 2, 'the primary to load serial 2')
    assert notify(n.port, key=other, source='127.0.0.9') == dns.rcode.REFUSED, 'a key of another purpose'
    assert n.serial(ZONE) == 1
    assert notify(n.port, key=key, source='127.0.0.9') == dns.rcode.NOERROR
    n.wait_serial(ZONE, 2)


def test_without_syncd_it_is_servfail_and_queries_go_on(peer, node):
    n, _ = made(peer, node)
    n.syncd.kill()
    zl.wait_for(lambda: notify(n.port) == dns.rcode.SERVFAIL, 'SERVFAIL to a NOTIFY')
    assert n.serial(ZONE) == 1
    n.restart()
    zl.wait_for(lambda: notify(n.port) == dns.rcode.NOERROR, 'NOTIFY to be taken again')
