"""Zones over TLS (RFC 9103), in and out: who is believed, what is refused, and that nothing goes in the clear."""
import contextlib
import re
import socket
import ssl
import threading

import certs
import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.update
import pytest
import zl
from alone import framed, read_message

ZONE = 'example.test'


# ---------------------------------------------------------------- what the stories stand on

class Front:
    """TLS in front of a server that has none, or one that does it wrong; counts what it sees."""

    def __init__(self, target, context=None, cut=None):
        self.target, self.context, self.cut = target, context, cut
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(('127.0.0.1', self.port))
        self.udp.setblocking(False)
        self.connections = self.asked = self.resumed = 0
        self.octets = []  # of each connection, without TLS
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                s, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        with contextlib.suppress(OSError), s:
            s.settimeout(30)
            if self.context:
                s = self.context.wrap_socket(s, server_side=True)
                self.resumed += s.session_reused
            with s, socket.create_connection(('127.0.0.1', self.target), timeout=30) as up:
                threading.Thread(target=self.carry, args=(s, up), daemon=True).start()
                self.back(s, up)

    def carry(self, s, up):
        said = bytearray()
        self.octets.append(said)
        with contextlib.suppress(OSError):
            while data := s.recv(65536):
                self.asked += 1
                said += data
                up.sendall(data)
            up.shutdown(socket.SHUT_WR)

    def back(self, s, up):
        sent = 0
        while data := up.recv(65536):
            if self.cut is not None and sent + len(data) > self.cut:
                s.sendall(data[:self.cut - sent])
                socket.socket.shutdown(s, socket.SHUT_RDWR)  # TCP ends, TLS says no good-bye
                return
            s.sendall(data)
            sent += len(data)
        if isinstance(s, ssl.SSLSocket):
            s.unwrap()

    def in_the_clear(self):
        """Whether anybody has asked this port by UDP."""
        with contextlib.suppress(BlockingIOError):
            return bool(self.udp.recv(65536))
        return False

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        self.listener.close()
        self.udp.close()


@pytest.fixture
def front():
    made = []

    def make(*args, **options):
        made.append(Front(*args, **options))
        return made[-1]
    yield make
    for f in made:
        f.close()


def server_context(cert, alpn='dot', most=ssl.TLSVersion.TLSv1_3):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(cert.crt, cert.key)
    c.maximum_version = most
    if alpn:
        c.set_alpn_protocols([alpn])
    return c


@pytest.fixture
def authority(place):
    return certs.Authority(place / 'ca')


class Remote:
    """A primary as a node knows it: somebody's name and key at a port."""

    def __init__(self, name, port, key=None):
        self.name, self.port, self.key = name, port, key


def put(n, serial, **kw):
    f = n.path / 'z.zone'
    f.write_text(zl.small_zone(serial, **kw))
    n.zonectl('import', ZONE, f)


def follow(node, remote, items, name='second', **options):
    """A node whose zone comes from `remote`, which is known by `items`."""
    n = node(name, primary_options={remote.name: items}, **options)
    return n.secondary_of(ZONE, remote).start()


def secure_primary(node, cert, name='first', zone='transfer-from-tls = {"127.0.0.1"}', authd='', **options):
    """A node of ours that gives the zone by TLS; (node, what others know of it)."""
    port = zl.free_port()
    n = node(name, authd=f'listen-tls = {{"127.0.0.1@{port}"}} {cert.items()} {authd}',
             extra=options.pop('before', '') + f' zone "{ZONE}" {{ {zone} }}', **options)
    n.start()
    put(n, 1)
    n.wait_serial(ZONE, 1)
    return n, Remote(name, port)


def last_error(n):
    return n.zone(ZONE).get('last_error') or ''


# ---------------------------------------------------------------- as a client

def test_a_zone_comes_by_tls_with_its_increments(node, authority):
    """AXFR, then IXFR, from a node of ours to a node of ours; the journal says how they came."""
    first, remote = secure_primary(node, authority.issue('ns1.example.test'))
    second = follow(node, remote, authority.issue('ns1.example.test').known())
    second.wait_serial(ZONE, 1)
    put(first, 2, www='192.0.2.81')
    second.zonectl('refresh', ZONE)
    second.wait_serial(ZONE, 2)
    assert second.dump(ZONE) == first.dump(ZONE)
    second.journaled()
    kinds = second.git('log', '--format=%(trailers:key=Origin,valueonly,separator=%x2C) '
                       '%(trailers:key=Transport,valueonly,separator=%x2C)', ZONE).split('\n')[:2]
    assert kinds == ['ixfr tls', 'axfr tls']
    assert re.search(r'a new version is committed.*transport=tls.*kind=ixfr', second.syncd.text())


def test_nothing_goes_in_the_clear(node, front, authority):
    """SOA probes too go by TLS, one connection resumes the last one's session, and UDP is never tried."""
    first = node('first', extra=f'zone "{ZONE}" {{ transfer-from = {{"127.0.0.1"}} }}').start()
    put(first, 1)
    cert = authority.issue('ns1.example.test')
    f = front(first.port, server_context(cert))
    second = follow(node, Remote('first', f.port), cert.known())
    second.wait_serial(ZONE, 1)
    put(first, 2)
    second.zonectl('refresh', ZONE)
    second.wait_serial(ZONE, 2)
    # A connection is used again, and closed when nothing was asked for a while; the next one resumes its session.
    assert f.connections < f.asked
    zl.wait_for(lambda: second.zonectl('refresh', ZONE) and f.resumed >= 1, 'a session to be resumed', step=4)
    assert not f.in_the_clear()


def test_questions_are_padded(node, front, authority):
    """RFC 9103 7.5, RFC 8467 4.1: probes and requests, signed ones too, are whole blocks; nothing is padded in the clear."""
    key = zl.Key('xfr.test')
    first = node('first', keys=[key], extra=f'zone "{ZONE}" {{ transfer-keys = {{"{key.name}"}} }}').start()
    put(first, 1)
    cert = authority.issue('ns1.example.test')
    f = front(first.port, server_context(cert))
    second = follow(node, Remote('first', f.port, key), cert.known())
    second.wait_serial(ZONE, 1)
    put(first, 2)
    second.zonectl('refresh', ZONE)
    second.wait_serial(ZONE, 2)
    messages = []
    for said in map(bytes, f.octets):
        while said:
            n = int.from_bytes(said[:2], 'big')
            messages.append(dns.message.from_wire(said[2:2 + n], keyring=key.ring()))
            assert n % 128 == 0, messages[-1]
            said = said[2 + n:]
    assert {dns.rdatatype.to_text(m.question[0].rdtype) for m in messages} >= {'AXFR', 'IXFR'}
    assert all(any(o.otype == dns.edns.PADDING for o in m.options) for m in messages)


@pytest.mark.parametrize('pins', ['one', 'of two', 'with a name'])
def test_known_by_pin(node, authority, pins):
    """RFC 7858 4.2: whoever made the certificate, and whenever it ended."""
    cert = authority.issue('ns1.example.test', days=30 if pins == 'with a name' else -1)
    first, remote = secure_primary(node, cert)
    other = certs.pin(authority.crt)
    items = {'one': f'tls = yes tls-pins = {{"{cert.pin()}"}}',
             'of two': f'tls = yes tls-pins = {{"{other}", "{cert.pin()}"}}',
             'with a name': cert.known() + f' tls-pins = {{"{cert.pin()}"}}'}[pins]
    second = follow(node, remote, items)
    second.wait_serial(ZONE, 1)


WRONG = {
    'authority': 'its certificate is not trusted',
    'name': "its certificate is not for 'ns1.example.test'",
    'expired': 'its certificate has expired',
    'pin': 'is none of tls-pins',
    'alpn': "ALPN 'dot'",
    'version': 'it does not speak TLS 1.3',
    'plain': 'TLS',
}


@pytest.mark.parametrize('what', WRONG)
def test_a_primary_that_is_not_who_it_shall_be(node, front, authority, place, what):
    """Nothing is asked of it, the reason stands in the log and in the status, and there is no fallback. When it is
    mended, the zone comes."""
    first = node('first', extra=f'zone "{ZONE}" {{ transfer-from = {{"127.0.0.1"}} }}').start()
    put(first, 1)
    good = authority.issue('ns1.example.test')
    known = good.known()
    if what == 'authority':
        bad = server_context(certs.Authority(place / 'other').issue('ns1.example.test'))
    elif what == 'name':
        bad = server_context(authority.issue('ns2.example.test'))
    elif what == 'expired':
        bad = server_context(authority.issue('ns1.example.test', days=-1))
    elif what == 'pin':
        known = f'tls = yes tls-pins = {{"{good.pin()}"}}'
        bad = server_context(authority.issue('ns1.example.test', days=29))
    elif what == 'alpn':
        bad = server_context(good, alpn=None)
    elif what == 'version':
        bad = server_context(good, most=ssl.TLSVersion.TLSv1_2)
    else:
        bad = None
    f = front(first.port, bad)
    second = follow(node, Remote('first', f.port), known, syncd='probe-timeout = 1s')
    zl.wait_for(lambda: last_error(second), 'the first failure')
    assert WRONG[what] in last_error(second)
    assert re.search(f'primary=first.*transport=tls.*error="?.*{re.escape(WRONG[what])}', second.syncd.text())
    assert second.serial(ZONE) is None and not f.in_the_clear()
    assert f.asked == 0 or what == 'plain', 'nothing is said before the primary is known'
    f.context = server_context(good)
    second.wait_serial(ZONE, 1)


def test_cut_in_the_middle(node, front, authority):
    """TLS that ends without a good-bye, within a transfer: the old version stays, and the next try succeeds."""
    first = node('first', extra=f'zone "{ZONE}" {{ transfer-from = {{"127.0.0.1"}} }}').start()
    put(first, 1)
    cert = authority.issue('ns1.example.test')
    f = front(first.port, server_context(cert))
    second = follow(node, Remote('first', f.port), cert.known())
    second.wait_serial(ZONE, 1)
    put(first, 2, extra=''.join(f'h{i} TXT "{"x" * 200} {i}"\n' for i in range(1000)))
    f.cut = 100_000
    second.zonectl('retransfer', ZONE)
    zl.wait_for(lambda: 'cut the connection' in last_error(second), 'the failure')
    assert second.serial(ZONE) == 1
    f.cut = None
    second.zonectl('refresh', ZONE)
    second.wait_serial(ZONE, 2)
    assert second.dump(ZONE) == first.dump(ZONE)


def test_new_certificates_by_reload(node, front, authority, place):
    """The files are read again by SIGHUP, from within the sandbox; a broken one changes nothing."""
    first = node('first', extra=f'zone "{ZONE}" {{ transfer-from = {{"127.0.0.1"}} }}').start()
    put(first, 1)
    ca = place / 'trusted.pem'
    ca.write_bytes(authority.crt.read_bytes())
    f = front(first.port, server_context(authority.issue('ns1.example.test')))
    second = follow(node, Remote('first', f.port), f'tls = yes tls-hostname = "ns1.example.test" tls-ca = "{ca}"')
    second.wait_serial(ZONE, 1)
    ca.write_text('broken')
    second.syncd.signal(1)
    zl.wait_for(lambda: 'reload refused' in second.syncd.text(), 'the refusal')
    assert f'tls-ca {ca}' in second.syncd.text()
    other = certs.Authority(place / 'other')
    ca.write_bytes(other.crt.read_bytes())
    second.syncd.signal(1)
    zl.wait_for(lambda: 'configuration reloaded' in second.syncd.text(), 'the reload')
    put(first, 2)
    second.zonectl('refresh', ZONE)
    zl.wait_for(lambda: 'not trusted' in last_error(second), 'the old certificate to be refused')
    f.context = server_context(other.issue('ns1.example.test'))
    second.zonectl('refresh', ZONE)
    second.wait_serial(ZONE, 2)


def test_the_systems_authorities(node, authority, place):
    """Without tls-ca those of the system count; they too are read again by SIGHUP, from within the sandbox."""
    first, remote = secure_primary(node, authority.issue('ns1.example.test'))
    system = place / 'system.pem'
    system.write_bytes(authority.crt.read_bytes())
    second = follow(node, remote, 'tls = yes tls-hostname = "ns1.example.test"', env={'SSL_CERT_FILE': str(system)})
    second.wait_serial(ZONE, 1)
    system.write_bytes(certs.Authority(place / 'other').crt.read_bytes())
    second.syncd.signal(1)
    zl.wait_for(lambda: 'configuration reloaded' in second.syncd.text(), 'the reload')
    second.zonectl('refresh', ZONE)
    zl.wait_for(lambda: 'not trusted' in last_error(second), 'the refusal')


def test_a_primary_that_says_nothing(node, authority):
    """It takes the connection, and then nothing comes: the handshake has its time."""
    with socket.create_server(('127.0.0.1', 0)) as s:
        second = follow(node, Remote('first', s.getsockname()[1]), authority.issue('ns1.example.test').known(),
                        syncd='probe-timeout = 200ms')
        zl.wait_for(lambda: 'TLS: no handshake within' in last_error(second), 'the failure')


def test_wrong_configuration(node, authority, place):
    """Each with its line, before anything starts."""
    cert = authority.issue('ns1.example.test')
    n = node('n')
    wrong = {
        'tls = yes': 'needs tls-hostname or tls-pins',
        'tls = yes tls-pins = {"AAAA"}': 'a pin is the SHA-256',
        f'tls = yes tls-ca = "{cert.ca}" tls-pins = {{"{cert.pin()}"}}': 'tls-ca needs tls-hostname',
        'tls-hostname = "x"': 'need tls = yes',
        cert.known() + f' tls-key = "{cert.key}"': 'need each other',
        'tls = yes tls-hostname = "x" tls-ca = "/nowhere"': 'tls-ca /nowhere',
    }
    for items, why in wrong.items():
        n.options['primary_options'] = {'p': items}
        n.secondary_of(ZONE, Remote('p', 5353))
        n.write_config()
        r = zl.subprocess.run([zl.BIN / 'syncd', '-c', n.conf, '--check-config'], capture_output=True, text=True)
        assert r.returncode == 1 and why in r.stderr and "primary 'p'" in r.stderr, r.stderr


# ---------------------------------------------------------------- as a server

def client_context(server, shown=None):
    c = ssl.create_default_context(cafile=server.ca)
    c.set_alpn_protocols(['dot'])
    if shown:
        c.load_cert_chain(shown.crt, shown.key)
    return c


def ask_tls(port, server, query, shown=None):
    """The first answer to a message, over TLS; certificate `shown` to authd."""
    with socket.create_connection(('127.0.0.1', port), timeout=10) as s, \
            client_context(server, shown).wrap_socket(s, server_hostname=server.name) as t:
        t.sendall(framed(query))
        return read_message(t)


def ask_tcp(port, query):
    with socket.create_connection(('127.0.0.1', port), timeout=10) as s:
        s.sendall(framed(query))
        return read_message(s)


def rcodes(n, tls_port, server, shown=None):
    """What comes of asking for the zone: AXFR and IXFR by TCP, IXFR by UDP, AXFR and IXFR by TLS."""
    axfr = dns.message.make_query(ZONE, 'AXFR')
    ixfr = dns.message.make_query(ZONE, 'IXFR')
    ixfr.authority = [dns.rrset.from_text(f'{ZONE}.', 0, 'IN', 'SOA', '. . 1 0 0 0 0')]
    got = [ask_tcp(n.port, axfr), ask_tcp(n.port, ixfr), dns.query.udp(ixfr, '127.0.0.1', port=n.port, timeout=5)]
    got += [ask_tls(tls_port, server, q, shown) for q in (axfr, ixfr)]
    return ' '.join(dns.rcode.to_text(r.rcode()) for r in got)


ALL, TLS_ALONE, NONE = (' '.join(['NOERROR'] * 5), 'REFUSED REFUSED REFUSED NOERROR NOERROR', ' '.join(['REFUSED'] * 5))
CLIENTS = 'client "a" {{ names = {{"secondary.example.test"}} }} client "p" {{ pins = {{"{pin}"}} }}'


def test_who_may_have_a_zone(node, authority, place):
    """Each rule against each way to ask, with and without certificates."""
    server = authority.issue('ns1.example.test')
    good, other = authority.issue('secondary.example.test'), authority.issue('other.example.test')
    alone = certs.Certificate(place / 'alone', 'pinned.example.test')  # nobody vouches for it
    foreign = certs.Authority(place / 'foreign').issue('secondary.example.test')
    n, remote = secure_primary(node, server, authd=f'tls-clients = accept tls-client-ca = "{authority.crt}"',
                               before=CLIENTS.format(pin=certs.pin(alone.crt)) + ' secondary "s" { address = "127.0.0.1" client = "a" }',
                               zone='transfer-from = {"127.0.0.1"}')
    shown = {'none': None, 'good': good, 'other': other, 'pinned': alone, 'foreign': foreign}
    conf = n.conf.read_text()
    for items, may in {
        'transfer-from = {"127.0.0.1"}': {'none': ALL, 'foreign': ALL},
        'transfer-from-tls = {"127.0.0.1"}': {'none': TLS_ALONE, 'good': TLS_ALONE},
        'transfer-from = {"127.0.0.1"} transfer-tls = yes': {'none': TLS_ALONE, 'foreign': TLS_ALONE},
        'transfer-from = {"127.0.0.1"} transfer-tls = certificate':
            {'none': NONE, 'good': TLS_ALONE, 'other': TLS_ALONE, 'pinned': TLS_ALONE, 'foreign': NONE},
        'transfer-clients = {"a"}': {'none': NONE, 'good': TLS_ALONE, 'other': NONE, 'pinned': NONE, 'foreign': NONE},
        'transfer-clients = {"p"}': {'none': NONE, 'good': NONE, 'pinned': TLS_ALONE},
        'secondaries = {"s"}': {'none': NONE, 'good': TLS_ALONE, 'other': NONE},
    }.items():
        n.conf.write_text(conf.replace(f'zone "{ZONE}" {{ transfer-from = {{"127.0.0.1"}} }}', f'zone "{ZONE}" {{ {items} }}'))
        before = n.syncd.text().count('configuration reloaded')
        n.syncd.signal(1)
        zl.wait_for(lambda: n.syncd.text().count('configuration reloaded') > before, 'the reload')
        assert {k: rcodes(n, remote.port, server, shown[k]) for k in may} == may, items
    text = n.syncd.text()
    assert re.search(r'a zone is sent.*transport=tls.*certificate=secondary.example.test', text)
    assert re.search(r'a transfer is refused.*transport=tcp.*"the zone is transferred over TLS alone', text)
    assert f'certificate=pin:{certs.pin(alone.crt)}' in text or f'certificate="pin:{certs.pin(alone.crt)}"' in text


def test_mutual_tls_between_nodes(node, authority):
    """The primary demands a certificate; without one it says so, and with one the zone comes, increments too."""
    server, ours = authority.issue('ns1.example.test'), authority.issue('secondary.example.test')
    first, remote = secure_primary(node, server, authd=f'tls-clients = demand tls-client-ca = "{authority.crt}"',
                                   before='client "a" { names = {"secondary.example.test"} }', zone='transfer-clients = {"a"}')
    bare = follow(node, remote, server.known(), name='bare')
    zl.wait_for(lambda: 'demands a certificate of ours' in last_error(bare), 'the refusal')
    foreign = certs.Authority(authority.path.parent / 'foreign').issue('secondary.example.test')
    stranger = follow(node, remote, server.known() + ' ' + foreign.items(), name='stranger')
    zl.wait_for(lambda: 'does not trust who made our certificate' in last_error(stranger), 'the refusal')
    second = follow(node, remote, server.known() + ' ' + ours.items())
    second.wait_serial(ZONE, 1)
    put(first, 2)
    second.zonectl('refresh', ZONE)
    second.wait_serial(ZONE, 2)
    assert bare.serial(ZONE) is None and stranger.serial(ZONE) is None


def notify(serial):
    m = dns.message.make_query(ZONE, 'SOA')
    m.set_opcode(dns.opcode.NOTIFY)
    m.flags = (m.flags & ~dns.flags.RD) | dns.flags.AA
    return m


def test_notify_by_tls(node, authority):
    """A primary whose NOTIFY must show its certificate is not believed without."""
    server, theirs = authority.issue('ns2.example.test'), authority.issue('primary.example.test')
    first = node('first', extra=f'zone "{ZONE}" {{ transfer-from = {{"127.0.0.1"}} }}').start()
    put(first, 1)
    port = zl.free_port()
    second = follow(node, Remote('first', first.port), 'client = "a"',
                    authd=f'listen-tls = {{"127.0.0.1@{port}"}} {server.items()} tls-clients = accept '
                          f'tls-client-ca = "{authority.crt}"',
                    extra='client "a" { names = {"primary.example.test"} }')
    second.wait_serial(ZONE, 1)
    put(first, 2)
    r = dns.query.udp(notify(2), '127.0.0.1', port=second.port, timeout=5)
    assert r.rcode() == dns.rcode.REFUSED
    assert 'it comes from a primary, but not by TLS' in second.syncd.text()
    assert ask_tls(port, server, notify(2)).rcode() == dns.rcode.REFUSED
    assert 'does not show its certificate' in second.syncd.text()
    assert ask_tls(port, server, notify(2), theirs).rcode() == dns.rcode.NOERROR
    second.wait_serial(ZONE, 2)


def test_updates_by_tls(node, authority):
    """A policy for a certificate: without it, or without TLS, nothing changes. The journal says how it came."""
    server, ours = authority.issue('ns1.example.test'), authority.issue('acme.example.test')
    first, remote = secure_primary(node, server, authd=f'tls-clients = accept tls-client-ca = "{authority.crt}"',
                                   before='client "acme" { names = {"acme.example.test"} } '
                                          'update-policy "acme" { clients = {"acme"} types = {"TXT"} }',
                                   zone='update = {"acme"}')
    u = dns.update.UpdateMessage(ZONE)
    u.add('_acme', 60, 'TXT', 'by-tls')
    assert ask_tcp(first.port, u).rcode() == dns.rcode.REFUSED
    assert ask_tls(remote.port, server, u).rcode() == dns.rcode.REFUSED
    assert ask_tls(remote.port, server, u, authority.issue('other.example.test')).rcode() == dns.rcode.REFUSED
    assert first.serial(ZONE) == 1
    assert ask_tls(remote.port, server, u, ours).rcode() == dns.rcode.NOERROR
    first.wait_serial(ZONE, 2)
    first.journaled()
    said = first.git('log', '-1', '--format=%(trailers:key=Transport,valueonly)%(trailers:key=Source,valueonly)', ZONE)
    assert said.split() == ['tls', 'acme.example.test']
    assert re.search(r'changed by an update.*transport=tls.*certificate=acme.example.test', first.syncd.text())


def test_updates_are_forwarded_by_tls(node, authority):
    """The signed update reaches a primary that takes it by TLS alone, and comes back as an increment."""
    key = zl.Key('updates.test')
    server = authority.issue('ns1.example.test')
    first, remote = secure_primary(node, server, keys=[key],
                                   before='update-policy "p" { keys = {"updates.test"} tls = yes }',
                                   zone='update = {"p"} transfer-from-tls = {"127.0.0.1"}')
    second = node('second', primary_options={'first': server.known()})
    second.secondary_of(ZONE, remote, forward_updates='yes').start()
    second.wait_serial(ZONE, 1)
    u = dns.update.UpdateMessage(ZONE, keyring=key.ring(), keyname=key.name, keyalgorithm=key.algorithm)
    u.add('forwarded', 60, 'TXT', 'x')
    assert dns.query.udp(u, '127.0.0.1', port=first.port, timeout=5).rcode() == dns.rcode.REFUSED
    assert dns.query.udp(u, '127.0.0.1', port=second.port, timeout=10).rcode() == dns.rcode.NOERROR
    first.wait_serial(ZONE, 2)
    assert re.search(r'an update is forwarded.*transport=tls', second.syncd.text())
    second.zonectl('refresh', ZONE)
    second.wait_serial(ZONE, 2)


def test_new_authorities_for_clients_by_reload(node, authority, place):
    """Whom authd vouches for changes with SIGHUP, resumed sessions or not."""
    server, ours = authority.issue('ns1.example.test'), authority.issue('secondary.example.test')
    ca = place / 'clients.pem'
    ca.write_bytes(authority.crt.read_bytes())
    n, remote = secure_primary(node, server, authd=f'tls-clients = accept tls-client-ca = "{ca}"',
                               before='client "a" { names = {"secondary.example.test"} }', zone='transfer-clients = {"a"}')
    q = dns.message.make_query(ZONE, 'AXFR')
    assert ask_tls(remote.port, server, q, ours).rcode() == dns.rcode.NOERROR
    ca.write_bytes(certs.Authority(place / 'other').crt.read_bytes())
    n.authd.signal(1)
    zl.wait_for(lambda: ask_tls(remote.port, server, q, ours).rcode() == dns.rcode.REFUSED, 'the refusal')
    ca.write_text('broken')
    n.authd.signal(1)
    zl.wait_for(lambda: f'tls-client-ca {ca}' in n.authd.text(), 'the error')
