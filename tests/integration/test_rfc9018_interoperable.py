"""Cookies that all servers of an address accept (RFC 9018): ours and those of BIND, Knot DNS and NSD, with the same secret; and
how the secret is changed without a client noticing."""
import pathlib

import dns.rcode
import edns
import pytest
import zl
from edns import COOKIE, ZONE

CLIENT = b'\1\2\3\4\5\6\7\10'
OLD, NEW = '00112233445566778899aabbccddeeff', 'e5e973e5a6b2a43f48e7dc849e37bfcf'


class Bind(zl.Bind):
    def configure(self):
        super().configure()
        conf = self.path / 'named.conf'
        secrets = ' '.join(f'cookie-secret "{s}";' for s in self.secrets)
        conf.write_text(conf.read_text().replace('recursion no;', f'recursion no; require-server-cookie yes; {secrets}', 1))


class Knot(zl.Knot):
    def configure(self):
        super().configure()
        conf = self.path / 'knot.conf'
        conf.write_text(conf.read_text().replace(
            'zone:\n', f'mod-cookies:\n  - id: default\n    secret: 0x{self.secrets[0]}\n'
            'template:\n  - id: default\n    global-module: mod-cookies/default\nzone:\n', 1))


class Nsd(zl.Nsd):
    def configure(self):
        super().configure()
        (self.path / 'secrets').write_text(''.join(s + '\n' for s in self.secrets))
        conf = self.path / 'nsd.conf'
        conf.write_text(conf.read_text().replace(
            'server:\n', f'server:\n  answer-cookie: yes\n  cookie-secret-file: "{self.path}/secrets"\n', 1))


@pytest.fixture(params=[Bind, Knot, Nsd], ids=lambda c: c.name)
def other(request, place):
    if request.param.missing():
        pytest.skip(f'skipped: {request.param.program} is not installed')
    p = request.param(place / 'other')
    p.secrets = [OLD]
    p.write(ZONE, zl.small_zone(7))
    p.configure()
    p.process = zl.Process(p.name, p.command(), p.path / 'log').start()
    zl.wait_for(lambda: zl.ask(p.port, ZONE, 'SOA', tcp=True).answer, f'{p.name} to answer', 30)
    yield p
    p.stop()


@pytest.fixture
def n(node, place):
    path = pathlib.Path(place / 'cookie.secret')
    put(path, OLD)
    n = node(authd=f'cookie-secret-file = "{path}"')
    n.secret_file = path
    return edns.imported(n)


def put(path, *secrets):
    path.write_text(''.join(f'{s}\n' for s in secrets))
    path.chmod(0o640)


def shown(where, data, **kw):
    r = edns.ask(where, ZONE, 'SOA', (COOKIE, data), **kw)
    return r, edns.options(r).get(COOKIE)


def learn(where, **kw):
    got = shown(where, CLIENT, **kw)[1]
    assert got is None or (len(got) == 24 and got[:8] == CLIENT)
    return got


def accepted_by_us(n, data, **kw):
    """As the counters tell."""
    before = n.json('stats')['cookies_good']
    assert shown(n, data, **kw)[0].rcode() == dns.rcode.NOERROR
    return n.json('stats')['cookies_good'] == before + 1


def test_they_accept_ours(n, other):
    ours = learn(n)
    r, got = shown(other, ours)
    assert r.rcode() == dns.rcode.NOERROR and r.answer
    if other.name == 'nsd':  # it answers everybody, but gives back what it accepts; the others refuse
        assert got == ours
    wrong = ours[:20] + bytes([ours[20] ^ 1]) + ours[21:]
    r, got = shown(other, wrong)
    assert got != wrong
    if other.name != 'nsd':
        assert r.rcode() == dns.rcode.BADCOOKIE


def test_we_accept_theirs(n, other):
    theirs = learn(other)
    assert accepted_by_us(n, theirs)
    assert shown(n, theirs)[1] == theirs
    assert not accepted_by_us(n, theirs[:20] + bytes([theirs[20] ^ 1]) + theirs[21:])
    assert not accepted_by_us(n, theirs, source='127.0.0.2')


def test_with_another_secret_nobody_accepts_anything(n, other):
    ours, theirs = learn(n), learn(other)
    put(n.secret_file, NEW)
    assert edns.reload(n.authd)
    assert not accepted_by_us(n, ours) and not accepted_by_us(n, theirs)
    assert shown(other, learn(n))[1] != learn(n)


def test_the_secret_is_changed_and_no_client_notices(node, place):
    """Section 5, with two of ours behind one address: at no step is a cookie of the one refused by the other."""
    servers = []
    for name in ('a', 'b'):
        path = place / f'{name}.secret'
        put(path, OLD)
        s = node(name, authd=f'cookie-secret-file = "{path}"')
        s.secret_file = path
        servers.append(edns.imported(s))
    held = learn(servers[0])

    def all_content():
        return all(accepted_by_us(s, held) and all(accepted_by_us(s, learn(t)) for t in servers) for s in servers)
    assert all_content()
    for secrets in ((OLD, NEW), (NEW, OLD)):
        for s in servers:
            put(s.secret_file, *secrets)
            assert edns.reload(s.authd)
            assert f'secrets={len(secrets)}' in s.authd.text()
            assert all_content(), secrets
    assert shown(servers[0], held)[1] != held, 'an old one is accepted, and replaced'
    new = shown(servers[0], held)[1]
    for s in servers:
        put(s.secret_file, NEW)
        assert edns.reload(s.authd)
    assert all(accepted_by_us(s, new) and not accepted_by_us(s, held) for s in servers)
