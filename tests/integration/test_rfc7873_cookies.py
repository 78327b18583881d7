"""DNS cookies (RFC 7873): a client that shows one is no forgery, and so is not limited."""
import os
import socket
import subprocess

import dns.flags
import dns.message
import dns.query
import dns.rcode
import edns
import pytest
import test_proxy
import zl
from edns import COOKIE, ZONE

CLIENT = b'\1\2\3\4\5\6\7\10'
FLOOD = 60


def cookie(n, data=CLIENT, name='www.' + ZONE, **kw):
    """The answer to a query with that cookie, and the cookie in it."""
    r = edns.ask(n, name, 'A', (COOKIE, data), **kw)
    return r, edns.options(r).get(COOKIE)


def learn(n, **kw):
    return cookie(n, **kw)[1]


def counted(n):
    s = n.json('stats')
    return {k: s[k] for k in ('cookies_new', 'cookies_good', 'cookies_bad', 'rate_limited')}


def test_a_client_learns_its_cookie(node):
    n = edns.imported(node())
    r, mine = cookie(n)
    assert r.rcode() == dns.rcode.NOERROR and r.answer
    assert len(mine) == 24 and mine[:8] == CLIENT, 'section 5.2.3'
    r, again = cookie(n, mine)
    assert r.answer and again == mine
    r, by_tcp = cookie(n, mine, tcp=True)
    assert r.answer and by_tcp == mine
    for name, rcode in (('x.' + ZONE, dns.rcode.NXDOMAIN), ('elsewhere.test', dns.rcode.REFUSED)):
        r, got = cookie(n, mine, name=name)
        assert r.rcode() == rcode and got == mine
    assert counted(n) == {'cookies_new': 1, 'cookies_good': 4, 'cookies_bad': 0, 'rate_limited': 0}


def test_it_is_for_one_client_at_one_address(node):
    n = edns.imported(node())
    mine = learn(n)
    assert learn(n, source='127.0.0.2')[8:] != mine[8:]
    assert cookie(n, mine, source='127.0.0.2')[1] != mine
    assert cookie(n, b'\1' * 8)[1][16:] != mine[16:]
    for i in range(8, 24):
        wrong = bytearray(mine)
        wrong[i] ^= 1
        r, got = cookie(n, bytes(wrong))
        assert r.answer and got[:8] == CLIENT and got != wrong, 'answered as if it had none (5.2.4), with a right one'
    told = counted(n)
    assert told['cookies_good'] == 0 and told['cookies_bad'] == 17


def test_malformed_ones(node):
    """Section 5.2.2."""
    n = edns.imported(node())
    for length in (*range(8), *range(9, 16), 41, 100):
        r, got = cookie(n, bytes(length))
        assert r.rcode() == dns.rcode.FORMERR and got is None and not r.answer, length
    for length in (8, 16, 24, 40):
        r, got = cookie(n, bytes(length))
        assert r.answer and len(got) == 24, length


def empty(data):
    """No question: only a cookie is wanted (section 5.4)."""
    q = edns.query(ZONE, 'SOA', (COOKIE, data))
    q.question = []
    return q


def test_a_question_for_the_cookie_alone(node):
    n = edns.imported(node())
    mine = learn(n)
    wrong = mine[:23] + bytes([mine[23] ^ 1])
    for data, rcode in ((CLIENT, dns.rcode.NOERROR), (mine, dns.rcode.NOERROR), (wrong, dns.rcode.BADCOOKIE), (b'1', dns.rcode.FORMERR)):
        r = dns.message.from_wire(edns.raw(n, empty(data).to_wire()))
        assert r.rcode() == rcode and not r.question and not r.answer
        assert edns.options(r).get(COOKIE) == (None if rcode == dns.rcode.FORMERR else mine)
    q = empty(CLIENT)
    q.use_edns(0)
    assert dns.message.from_wire(edns.raw(n, q.to_wire())).rcode() == dns.rcode.FORMERR, 'nothing is wanted'


@pytest.mark.parametrize('clients', [('192.0.2.1', '192.0.2.2'), ('2001:db8::1', '2001:db8::2')], ids=['ipv4', 'ipv6'])
def test_behind_a_balancer_it_is_for_the_client(node, clients):
    n = edns.imported(node(authd='proxy-from = {"127.0.0.2"}'))

    def through(client, data):
        there = '2001:db8::53' if ':' in client else '198.51.100.7'
        front = test_proxy.header((client, 4097), (there, 53), test_proxy.DATAGRAM)
        wire = edns.raw(n, front + edns.query('www.' + ZONE, 'A', (COOKIE, data)).to_wire(), source='127.0.0.2')
        return edns.options(dns.message.from_wire(wire))[COOKIE]
    mine, theirs = (through(c, CLIENT) for c in clients)
    assert mine[16:] != theirs[16:]
    assert through(clients[0], mine) == mine and through(clients[1], mine) != mine
    assert counted(n)['cookies_good'] == 1 and counted(n)['cookies_bad'] == 1


def flood(n, options, source='127.0.0.1'):
    """Full answers that come back."""
    def told():
        s = n.json('stats')
        return sum(s['queries'].values()), s['rate_dropped']
    before = told()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((source, 0))
        s.connect(('127.0.0.1', n.port))
        for _ in range(FLOOD):
            s.send(edns.query('www.' + ZONE, 'A', *options).to_wire())
        zl.wait_for(lambda: told()[0] == before[0] + FLOOD, 'the flood to be seen')
        s.settimeout(10)
        got = [dns.message.from_wire(s.recv(4096)) for _ in range(FLOOD - (told()[1] - before[1]))]
    return [r for r in got if r.answer and not r.flags & dns.flags.TC]


def test_who_shows_a_cookie_is_not_limited(node):
    n = edns.imported(node(rrl='yes', authd='rrl-rate = 1'))
    other = learn(n, source='127.0.0.2', tcp=True)
    mine = learn(n, tcp=True)
    assert len(flood(n, [(COOKIE, mine)])) == FLOOD
    assert counted(n)['rate_limited'] == 0
    # The victim's address with the attacker's cookie, no server cookie, none at all: all the same.
    for options in ([(COOKIE, other)], [(COOKIE, CLIENT)], []):
        before = counted(n)['rate_limited']
        assert len(flood(n, options)) < FLOOD and counted(n)['rate_limited'] > before
    # The flood in his name does the client no harm.
    r, again = cookie(n, mine)
    assert r.answer and again == mine and len(flood(n, [(COOKIE, mine)])) == FLOOD


def test_all_workers_and_reloads_have_one_secret(node):
    n = edns.imported(node(workers=4))
    mine = learn(n)
    assert all(cookie(n, mine)[1] == mine for _ in range(30)), 'each from another port, so to several workers'
    assert edns.reload(n.authd)
    assert all(cookie(n, mine)[1] == mine for _ in range(30))
    n.authd.stop()
    n.restart()
    zl.wait_for(lambda: cookie(n, mine)[0].answer, 'authd to serve again')
    assert cookie(n, mine)[1] != mine, 'a random secret lives in memory alone'


def test_switched_off(node):
    n = edns.imported(node(authd='cookies = no'))
    for data in (CLIENT, b'1', bytes(24)):
        r, got = cookie(n, data)
        assert r.answer and got is None
    assert dns.message.from_wire(edns.raw(n, empty(CLIENT).to_wire())).rcode() == dns.rcode.FORMERR
    n.options['authd'] = ''
    n.write_config()
    assert edns.reload(n.authd) and learn(n)
    n.options['authd'] = 'cookies = no'
    n.write_config()
    assert edns.reload(n.authd) and learn(n) is None


def test_dig_and_kdig_are_content(node):
    n = edns.imported(node())
    out = subprocess.run(['dig', '@127.0.0.1', '-p', str(n.port), '+cookie', '+tries=1', ZONE, 'SOA'], capture_output=True, text=True,
                         timeout=30).stdout
    assert '(good)' in out, out
    if zl.tool('kdig'):
        out = subprocess.run(['kdig', '@127.0.0.1', '-p', str(n.port), '+cookie', '+retry=0', ZONE, 'SOA'], capture_output=True,
                             text=True, timeout=30)
        assert 'COOKIE:' in out.stdout and 'WARNING' not in out.stdout + out.stderr, out


# ---------------------------------------------------------------- the file

SECRET = '00112233445566778899aabbccddeeff'


def with_file(node, path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return node(authd=f'cookie-secret-file = "{path}"', level='debug')


def test_a_file_outlives_a_restart(node, place):
    path = place / 'secret'
    n = edns.imported(with_file(node, path, SECRET + '\n'))
    mine = learn(n)
    n.authd.stop()
    n.restart()
    assert zl.wait_for(lambda: cookie(n, mine)[1], 'authd to serve again') == mine
    n.kill()
    for name in ('authd.log', 'syncd.log'):
        text = (n.path / name).read_text()
        assert SECRET not in text.lower() and SECRET[:12] not in text
    assert not any(SECRET.encode() in p.read_bytes() for p in n.path.rglob('*') if p.is_file()), 'nowhere'


@pytest.mark.parametrize('text,mode,says', [
    (SECRET, 0o644, 'others may read it'), (SECRET, 0o666, 'others may'), (SECRET + '00', 0o600, 'line 1: a secret has 32 hex digits'),
    ('# nothing yet\n', 0o600, 'no secret in it'), (f'{SECRET}\n{SECRET}\n', 0o600, 'line 2'), (None, 0, 'cannot be opened')])
def test_a_bad_file(node, place, text, mode, says):
    """The start is refused, so is a reload; the old secrets stay in force. --check-config says it beforehand."""
    path = place / 'secret'
    n = edns.imported(with_file(node, path, SECRET))
    mine = learn(n)
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
        path.chmod(mode)
    assert not edns.reload(n.authd)
    line = [x for x in n.authd.text().splitlines() if 'reload refused' in x][-1]
    assert says in line and str(path) in line and SECRET not in line
    assert cookie(n, mine)[1] == mine
    r = subprocess.run([zl.BIN / 'authd', '--check-config', '-c', n.conf], capture_output=True, text=True, timeout=60)
    assert r.returncode == 1 and says in r.stderr and SECRET not in r.stderr
    n.authd.stop()
    n.authd.start()
    assert n.authd.p.wait(60) == 1
    n.authd.ended = True


@pytest.mark.skipif(os.getuid() != 0, reason='skipped: only root can become somebody else')
def test_the_file_is_read_by_the_user_that_authd_becomes(node, place):
    path = place / 'secret'
    path.write_text(SECRET)
    path.chmod(0o640)
    n = node(authd=f'user = "nobody" group = "nogroup" cookie-secret-file = "{path}"')
    n.write_config()
    n.authd.start()
    assert n.authd.p.wait(60) == 1 and 'cookie-secret-file' in n.authd.text()
    n.authd.ended = True
