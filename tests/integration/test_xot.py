"""Zones over TLS (RFC 9103), in and out: who is believed, what is refused, and that nothing goes in the clear."""
import contextlib
import re
import socket
import ssl
import threading

import certs
import pytest
import zl

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
        with contextlib.suppress(OSError):
            while data := s.recv(65536):
                self.asked += 1
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


def secure_primary(node, cert, name='first', zone='transfer-from = {"127.0.0.1"}', authd='', **options):
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
    assert f.connections >= 3 and f.resumed >= 1
    assert not f.in_the_clear()


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
