"""Zones over TLS (RFC 9103) with real servers, as primaries and as secondaries.

Knot 3.2 and pdns-server 4.7, as Debian 12 has them, do not speak it; nsd 4.6 does as a secondary, and as a primary
serves TLS without ALPN, which RFC 9103 7.1 demands."""
import re

import certs
import pytest
import secondaries
import zl
from test_xot import ZONE, Remote, follow, last_error, put, secure_primary


class BindPrimary(zl.Bind):
    """Also by TLS, on tls_port; `clients`: the authority of those whose certificate it demands."""

    def __init__(self, path, cert, clients=None, **options):
        super().__init__(path, ixfr=True, **options)
        self.cert, self.clients, self.tls_port = cert, clients, zl.free_port()

    def configure(self):
        super().configure()
        conf = self.path / 'named.conf'
        ca = f' ca-file "{self.clients.crt}";' if self.clients else ''
        conf.write_text(
            f'tls ours {{ cert-file "{self.cert.crt}"; key-file "{self.cert.key}"; protocols {{ TLSv1.3; }};{ca} }};\n'
            + conf.read_text().replace('recursion no;', f'listen-on port {self.tls_port} tls ours {{ 127.0.0.1; }}; recursion no;')
            .replace('allow-transfer {', f'allow-transfer port {self.tls_port} transport tls {{'))


class NsdPrimary(zl.Nsd):
    def __init__(self, path, cert, **options):
        super().__init__(path, ixfr=True, **options)
        self.cert, self.tls_port = cert, zl.free_port()

    def configure(self):
        super().configure()
        conf = self.path / 'nsd.conf'
        conf.write_text(conf.read_text().replace(
            '  server-count: 1\n', f'  ip-address: 127.0.0.1@{self.tls_port}\n  tls-port: {self.tls_port}\n'
            f'  tls-service-key: "{self.cert.key}"\n  tls-service-pem: "{self.cert.crt}"\n  server-count: 1\n'))


class BindSecondary(secondaries.Bind):
    """The zone comes from `port` by TLS; `shown` is its certificate."""

    def __init__(self, path, primary, port, server, shown=None):
        super().__init__(path, primary)
        self.tls_port, self.server, self.shown = port, server, shown

    def configure(self):
        super().configure()
        conf = self.path / 'named.conf'
        shown = f' cert-file "{self.shown.crt}"; key-file "{self.shown.key}";' if self.shown else ''
        conf.write_text(
            f'tls theirs {{ ca-file "{self.server.ca}"; remote-hostname "{self.server.name}"; protocols {{ TLSv1.3; }};{shown} }};\n'
            + conf.read_text().replace(f'primaries {{ 127.0.0.1 port {self.primary.port}; }}',
                                       f'primaries {{ 127.0.0.1 port {self.tls_port} tls theirs; }}'))


class NsdSecondary(secondaries.Nsd):
    def __init__(self, path, primary, port, server, shown=None):
        super().__init__(path, primary)
        self.tls_port, self.server, self.shown = port, server, shown

    def configure(self):
        super().configure()
        conf = self.path / 'nsd.conf'
        shown = f'  client-cert: "{self.shown.crt}"\n  client-key: "{self.shown.key}"\n' if self.shown else ''
        conf.write_text(conf.read_text().replace('  server-count: 1\n', f'  server-count: 1\n  tls-cert-bundle: "{self.server.ca}"\n')
                        .replace(f'request-xfr: 127.0.0.1@{self.primary.port} NOKEY',
                                 f'request-xfr: 127.0.0.1@{self.tls_port} NOKEY theirs')
                        + f'tls-auth:\n  name: theirs\n  auth-domain-name: "{self.server.name}"\n{shown}')


@pytest.fixture
def running():
    made = []

    def run(p, *args):
        if p.missing():
            pytest.skip(f'skipped: {p.program} is not installed')
        made.append(p)
        return p.start(*args)
    yield run
    for p in made:
        p.stop()


@pytest.fixture
def authority(place):
    return certs.Authority(place / 'ca')


@pytest.mark.parametrize('mutual', ['its certificate alone', 'both certificates'])
def test_from_bind(node, running, authority, place, mutual):
    """AXFR, then IXFR; and if it demands a certificate, only with ours."""
    both = mutual == 'both certificates'
    server, ours = authority.issue('ns1.example.test'), authority.issue('secondary.example.test')
    first = BindPrimary(place / 'bind', server, authority if both else None)
    first.write(ZONE, zl.small_zone(1))
    running(first)
    remote = Remote('bind9', first.tls_port)
    if both:
        bare = follow(node, remote, server.known(), name='bare')
        zl.wait_for(lambda: 'TLS' in last_error(bare), 'the refusal')
        assert bare.serial(ZONE) is None
    second = follow(node, remote, server.known() + (' ' + ours.items() if both else ''))
    second.wait_serial(ZONE, 1)
    first.load(ZONE, zl.small_zone(2, www='192.0.2.81'))
    second.zonectl('refresh', ZONE)
    second.wait_serial(ZONE, 2)
    assert re.search(r'a new version is committed.*transport=tls.*kind=ixfr', second.syncd.text())
    assert zl.records(second.dump(ZONE), ZONE) == zl.records(first.zones[ZONE].read_text(), ZONE)


def test_nsd_lacks_alpn_as_a_primary(node, running, authority, place):
    """Its TLS is for queries: without ALPN it is not believed to mean zones, and the error says so."""
    server = authority.issue('ns1.example.test')
    first = NsdPrimary(place / 'nsd', server)
    first.write(ZONE, zl.small_zone(1))
    running(first)
    second = follow(node, Remote('nsd', first.tls_port), server.known())
    zl.wait_for(lambda: "ALPN 'dot'" in last_error(second), 'the refusal')
    assert second.serial(ZONE) is None


@pytest.mark.parametrize('mutual', ['our certificate alone', 'both certificates'])
@pytest.mark.parametrize('peer', ['bind9', 'nsd'])
def test_to(node, running, authority, place, peer, mutual):
    """AXFR, and after a NOTIFY IXFR; by plain TCP it would get nothing."""
    both = mutual == 'both certificates'
    server, theirs = authority.issue('ns1.example.test'), authority.issue('secondary.example.test')
    items = (f'tls-clients = demand tls-client-ca = "{authority.crt}"',
             'transfer-tls = certificate transfer-clients = {"a"}') if both else ('', 'transfer-from-tls = {"127.0.0.1"}')
    first, remote = secure_primary(node, server, authd=items[0], zone=items[1] + ' secondaries = {"peer"}',
                                   before=('client "a" { names = {"secondary.example.test"} }' if both else '')
                                   + ' secondary "peer" { address = "127.0.0.1@9" tls = yes }')
    kind = {'bind9': BindSecondary, 'nsd': NsdSecondary}[peer]
    second = kind(place / peer, first, remote.port, server, theirs if both else None)
    first.conf.write_text(first.conf.read_text().replace('@9"', f'@{second.port}"'))
    first.syncd.signal(1)
    zl.wait_for(lambda: 'configuration reloaded' in first.syncd.text(), 'the reload')
    running(second, ZONE)
    second.wait_serial(ZONE, 1)
    put(first, 2, www='192.0.2.81')
    second.wait_serial(ZONE, 2)
    assert re.search(r'a zone is sent.*transport=tls.*kind=ixfr', first.syncd.text())
    assert not both or 'certificate=secondary.example.test' in first.syncd.text()


@pytest.mark.parametrize('peer', ['bind9', 'nsd'])
def test_they_too_refuse_a_stranger(node, running, authority, place, peer):
    """Our certificate is made by somebody that they do not trust: they take nothing."""
    server = authority.issue('ns1.example.test')
    foreign = certs.Authority(place / 'foreign').issue('ns1.example.test')
    first, remote = secure_primary(node, foreign)
    kind = {'bind9': BindSecondary, 'nsd': NsdSecondary}[peer]
    second = running(kind(place / peer, first, remote.port, server), ZONE)
    zl.wait_for(lambda: re.search(r'TLS|certificate', second.text()), 'the refusal in its log')
    assert not re.search('a zone is sent', first.syncd.text())
