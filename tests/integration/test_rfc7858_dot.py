"""DNS over TLS (RFC 7858; RFC 8310 and 9325 on how; RFC 7766 on the connections inside).

Clients: kdig, dnspython, Python's ssl, openssl s_client.
"""
import contextlib
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading

import certs
import dns.message
import dns.query
import dns.rcode
import dns.update
import pytest
import zl
from alone import at_rest, FakeSyncd, acknowledge, closed, descriptors, framed, has_ipv6, notify, read_exactly, read_message, udp, version

TLS = 3  # enum ho_transport
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture
def dot(authd, place):
    """Factory: authd that listens for TLS too, with a certificate of its own (p.cert, p.tls)."""
    def make(extra='', **kw):
        cert = certs.Certificate(place / 'cert')
        port = zl.free_port()
        p = authd(extra=f'listen-tls = {{"127.0.0.1@{port}"}} {cert.items()} {extra}', **kw)
        p.cert, p.tls = cert, port
        return p
    return make


def dial(p, context=None, session=None, timeout=15, name=None):
    context = context or p.cert.context()
    raw = socket.create_connection(('127.0.0.1', p.tls), timeout=timeout)
    return context.wrap_socket(raw, server_hostname=name or p.cert.name, session=session, suppress_ragged_eofs=False)


def asks(s, ident):
    s.sendall(framed(version(ident)))
    return read_message(s).id == ident


def s_client(p, *args, stdin=b'', timeout=20):
    return subprocess.run(['openssl', 's_client', '-connect', f'127.0.0.1:{p.tls}', '-CAfile', p.cert.crt, *args], input=stdin,
                          capture_output=True, timeout=timeout)


# ---------------------------------------------------------------- what clients see

def test_dnspython(dot):
    p = dot()
    r = dns.query.tls(version(3), '127.0.0.1', port=p.tls, timeout=10, ssl_context=p.cert.context(), server_hostname=p.cert.name)
    assert r.id == 3 and 'v' * 200 in str(r.answer[0])


@pytest.mark.skipif(not shutil.which('kdig'), reason='skipped: kdig is not installed')
def test_kdig_checks_the_certificate(dot):
    p = dot()

    def kdig(name):
        return subprocess.run(['kdig', '@127.0.0.1', '-p', str(p.tls), f'+tls-ca={p.cert.crt}', f'+tls-hostname={name}', '+retry=0',
                               'version.bind', 'TXT', 'CH'], capture_output=True, text=True, timeout=30).stdout
    good = kdig(p.cert.name)
    assert 'v' * 200 in good and 'TLS1.3' in good, good
    assert 'v' * 200 not in kdig('somebody.else.test')


def test_versions_and_ciphers(dot):
    p = dot()
    with dial(p) as s:
        assert s.version() == 'TLSv1.3' and s.compression() is None and asks(s, 1)
    with dial(p, p.cert.context(version=V12)) as s:
        assert s.version() == 'TLSv1.2' and asks(s, 2)
        assert s.cipher()[0].startswith('ECDHE-') and ('GCM' in s.cipher()[0] or 'CHACHA20' in s.cipher()[0])
    for what in (['-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'], ['-tls1', '-cipher', 'ALL:@SECLEVEL=0'],
                 ['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-SHA'], ['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-SHA256']):
        r = s_client(p, *what)
        assert r.returncode != 0 and b'alert' in r.stderr, what
    assert udp(p, version(4)).id == 4


def test_alpn(dot):
    """"dot", or no list at all; who speaks other things and not that is told so (RFC 7301 3.2)."""
    p = dot()
    for offered, chosen in ((('dot',), 'dot'), ((), None), (('h2', 'dot'), 'dot')):
        with dial(p, p.cert.context(alpn=offered)) as s:
            assert s.selected_alpn_protocol() == chosen and asks(s, 1)
    with pytest.raises(ssl.SSLError, match='(?i)no.application.protocol'):
        dial(p, p.cert.context(alpn=('h2', 'http/1.1')))


def test_no_renegotiation_compression_or_early_data(dot):
    p = dot(extra='tcp-idle = 1s')
    r = s_client(p, '-tls1_2', '-alpn', 'dot', stdin=b'R\n')
    assert b'Compression: NONE' in r.stdout
    assert b'RENEGOTIATING' in r.stdout + r.stderr and b'no renegotiation' in r.stderr, r.stderr
    r = s_client(p, '-tls1_3', '-alpn', 'dot', '-ign_eof', stdin=framed(version(1)))  # until the idle limit
    assert b'Max Early Data: 0' in r.stdout and b'Early data was not sent' in r.stdout


def test_plain_dns_on_the_tls_port_and_the_reverse(dot):
    p = dot(extra='tcp-first = 2s tls-handshake = 3s')
    with socket.create_connection(('127.0.0.1', p.tls), timeout=15) as s:
        s.sendall(framed(version(1)))
        data = b''
        try:
            while part := s.recv(4096):
                data += part
        except ConnectionResetError:
            pass
        assert b'v' * 20 not in data
    with pytest.raises((ssl.SSLError, OSError)):
        p2 = type('plain', (), {'tls': p.port, 'cert': p.cert})
        dial(p2)
    with dial(p) as s:
        assert asks(s, 2)


# ---------------------------------------------------------------- sessions

def session_of(s):
    assert asks(s, 1)  # a ticket of TLS 1.3 comes behind the handshake
    return s.session


@pytest.mark.parametrize('tls_version', [V12, V13], ids=['1.2', '1.3'])
def test_sessions_are_resumed_by_every_worker_and_after_a_reload(dot, place, tls_version):
    p = dot(workers=4)
    context = p.cert.context(version=tls_version)
    with dial(p, context) as s:
        assert not s.session_reused
        session = session_of(s)
    for i in range(20):  # so that several workers have their turn
        with dial(p, context, session) as s:
            assert s.session_reused and asks(s, i)
    p.signal(signal.SIGHUP)
    zl.wait_for(lambda: 'configuration reloaded' in p.text(), 'the reload')
    with dial(p, context, session) as s:
        assert s.session_reused and asks(s, 99)


def test_a_restart_forgets_sessions(dot):
    """Ticket keys are nowhere but in memory; a strange ticket means a full handshake, no failure."""
    p = dot()
    context = p.cert.context()
    with dial(p, context) as s:
        session = session_of(s)
    assert p.stop() == 0
    p.start()
    zl.wait_for(lambda: p.text().count('ready') >= 2, 'authd to be ready again')
    with dial(p, context, session) as s:
        assert not s.session_reused and asks(s, 2)


# ---------------------------------------------------------------- the certificate

def test_reload_takes_a_new_certificate_and_drops_nobody(dot, place):
    p = dot(extra='tcp-idle = 60s')
    old = p.cert
    with dial(p) as before:
        assert asks(before, 1) and before.getpeercert(True) == old.der()
        p.cert = certs.Certificate(place / 'new')
        shutil.copy(p.cert.crt, old.crt)
        shutil.copy(p.cert.key, old.key)
        p.signal(signal.SIGHUP)
        zl.wait_for(lambda: 'configuration reloaded' in p.text(), 'the reload')
        with dial(p) as s:
            assert s.getpeercert(True) == p.cert.der() and asks(s, 2)
        assert asks(before, 3), 'an open connection goes on'


def test_reloads_under_load(dot, place):
    """Thirty certificates in a row; nobody who comes or stays notices."""
    p = dot(workers=4, extra='tcp-idle = 60s')
    certificates = [p.cert.crt.read_bytes(), p.cert.key.read_bytes()], [x.read_bytes() for x in (lambda c: (c.crt, c.key))(
        certs.Certificate(place / 'other'))]
    trust = place / 'both.pem'
    trust.write_bytes(certificates[0][0] + certificates[1][0])
    context = ssl.create_default_context(cafile=trust)
    done = threading.Event()
    failures, asked = [], []

    def client(session=None):
        try:
            while not done.is_set():
                with dial(p, context, session) as s:
                    for i in range(5):
                        assert asks(s, i)
                    session = s.session
                    asked.append(s.session_reused)
        except (OSError, AssertionError, EOFError) as e:
            failures.append(e)
    threads = [threading.Thread(target=client) for _ in range(3)]
    with dial(p, context) as steady:
        for t in threads:
            t.start()
        for i in range(30):
            for path, text in zip((p.cert.crt, p.cert.key), certificates[i % 2]):
                path.write_bytes(text)
            p.signal(signal.SIGHUP)
            zl.wait_for(lambda i=i: p.text().count('configuration reloaded') == i + 1, 'the reload')
            assert asks(steady, i)
        zl.wait_for(lambda: len(asked) > 20 or failures, 'clients to be served')
        done.set()
        for t in threads:
            t.join()
    assert not failures and any(asked)


def spoil(how, cert, place):
    """Makes the files bad; gives what the error must name."""
    other = certs.Certificate(place / 'other', password='secret' if how == 'password' else None)
    if how == 'no certificate':
        cert.crt.unlink()
        return cert.crt, 'No such file'
    if how == 'no key':
        cert.key.unlink()
        return cert.key, 'No such file'
    if how == 'garbage for a certificate':
        cert.crt.write_text('this is no certificate\n')
        return cert.crt, 'tls-certificate'
    if how == 'garbage for a key':
        cert.key.write_text('this is no key\n')
        return cert.key, 'no private key'
    if how == 'the key in the certificate file':
        shutil.copy(cert.key, cert.crt)
        return cert.crt, 'tls-certificate'
    if how == 'a key of another certificate':
        shutil.copy(other.key, cert.key)
        return cert.key, 'does not belong'
    if how == 'a key with a password':
        other = certs.Certificate(place / 'locked', password='secret')
        shutil.copy(other.crt, cert.crt)
        shutil.copy(other.key, cert.key)
        return cert.key, 'without a password'
    if how == 'a key that all may read':
        cert.key.chmod(0o644)
        return cert.key, '0644'
    if how == 'a key that the group may change':
        cert.key.chmod(0o660)
        return cert.key, '0660'
    assert how == 'a key that is too weak'
    other = certs.Certificate(place / 'weak', key=('-newkey', 'rsa:1024'))
    shutil.copy(other.crt, cert.crt)
    shutil.copy(other.key, cert.key)
    return cert.crt, 'too small'


HOW = ['no certificate', 'no key', 'garbage for a certificate', 'garbage for a key', 'the key in the certificate file',
       'a key of another certificate', 'a key with a password', 'a key that all may read', 'a key that the group may change',
       'a key that is too weak']


@pytest.mark.parametrize('how', HOW, ids=lambda x: x.replace(' ', '-'))
def test_bad_files_are_named_and_the_old_ones_stay(dot, place, how):
    p = dot(workers=1)
    der = p.cert.der()
    context = p.cert.context()
    path, says = spoil(how, p.cert, place)
    p.configure(f'listen-tls = {{"127.0.0.1@{p.tls}"}} {p.cert.items()} server-id = "new"')
    p.signal(signal.SIGHUP)
    zl.wait_for(lambda: 'reload refused' in p.text(), 'the refusal')
    line = next(x for x in p.text().splitlines() if 'reload refused' in x)
    assert str(path) in line and says in line, line
    with dial(p, context) as s:
        assert s.getpeercert(True) == der and asks(s, 1)
    r = dns.query.udp(dns.message.make_query('id.server', 'TXT', 'CH'), '127.0.0.1', port=p.port, timeout=5)
    assert r.rcode() == dns.rcode.REFUSED, 'nothing of the new configuration is in force'
    for command in (['--check-config'], []):
        r = subprocess.run([zl.BIN / 'authd', '-c', p.path / 'zl.conf', *command], capture_output=True, text=True, timeout=20,
                           stdin=subprocess.DEVNULL)
        if command:
            assert r.returncode == 1 and str(path) in r.stderr and says in r.stderr, r.stderr


def test_a_bad_file_at_the_start(dot, place):
    p = dot()
    p.stop()
    p.cert.key.chmod(0o604)
    p.start()
    assert p.p.wait(20) == 1
    assert str(p.cert.key) in p.text() and '0604' in p.text()


def test_the_key_may_be_reached_by_a_link_and_is_never_logged(dot, place):
    """As certificate robots lay it out: a link to the newest."""
    p = dot()
    link = p.cert.key.with_name('live.key')
    link.symlink_to(p.cert.key)
    p.configure(f'listen-tls = {{"127.0.0.1@{p.tls}"}} tls-certificate = "{p.cert.crt}" tls-key = "{link}"')
    p.signal(signal.SIGHUP)
    zl.wait_for(lambda: 'configuration reloaded' in p.text(), 'the reload')
    secret = p.cert.key.read_text().splitlines()[1]
    assert secret not in p.text()


def test_a_certificate_that_has_ended_or_ends_soon_is_told(dot, place):
    p = dot()
    assert 'TLS certificate is in force' in p.text()
    soon = certs.Certificate(p.cert.crt.parent / 'soon', days=3)  # where the sandbox reaches
    p.configure(f'listen-tls = {{"127.0.0.1@{p.tls}"}} {soon.items()}')
    p.signal(signal.SIGHUP)
    zl.wait_for(lambda: 'ends soon' in p.text(), 'the warning')
    assert str(soon.crt) in p.text()


# ---------------------------------------------------------------- messages

def test_pipeline(dot):
    p = dot()
    with dial(p) as s:
        s.sendall(b''.join(framed(version(i)) for i in range(500)))
        assert [read_message(s).id for _ in range(500)] == list(range(500))
        for octet in framed(version(501)) + framed(version(502)):  # a record each
            s.sendall(bytes([octet]))
        assert [read_message(s).id for _ in range(2)] == [501, 502]


def test_records_larger_than_the_buffers(dot):
    """64 KiB that are no message: FORMERR, and the connection goes on."""
    p = dot()
    with dial(p) as s:
        s.sendall(b'\xff\xff' + version(9).to_wire() + bytes(65535 - len(version().to_wire())) + framed(version(10)))
        n, = struct.unpack('!H', read_exactly(s, 2))
        assert read_exactly(s, n)[:2] == struct.pack('!H', 9)
        assert read_message(s).id == 10


def test_what_is_for_syncd_goes_there_and_nobody_waits_for_it(dot):
    """RFC 7766 6.2.1.1: answers in the order in which they are ready. The hand-over is told that it was TLS."""
    p = dot()
    held = []

    def reply(m):
        held.append(m)
        return acknowledge(m) if len(held) > 1 else None  # the first one is left waiting
    s = FakeSyncd(p.path, reply)
    try:
        zl.wait_for(lambda: s.roles.count(1) == 2, 'the workers to connect')
        with dial(p) as c:
            slow, quick = notify(), notify()
            c.sendall(framed(slow) + framed(version(5)) + framed(quick))
            assert [read_message(c).id for _ in range(2)] == [5, quick.id]
            assert read_message(c).id == slow.id  # SERVFAIL, when its time is over
        u = dns.update.Update('example.')
        r = dns.query.tls(u, '127.0.0.1', port=p.tls, timeout=10, ssl_context=p.cert.context(), server_hostname=p.cert.name)
        assert r.id == u.id
        assert len(s.messages) == 3 and {m['transport'] for m in s.messages} == {TLS}
    finally:
        s.close()


# ---------------------------------------------------------------- ends

def test_goodbyes(dot):
    """Both sides say close_notify; a half-closed connection still gets its answers."""
    p = dot(extra='tcp-idle = 500ms')
    with dial(p) as s:
        s.sendall(framed(version(1)) + framed(version(2)))
        raw = s.unwrap  # sends close_notify, and waits for the server's
        assert [read_message(s).id for _ in range(2)] == [1, 2]
        raw().close()
    with dial(p) as s:
        assert asks(s, 3)
        assert s.recv(10) == b'', 'idle: closed with close_notify, else this raises'


def test_time_for_the_handshake(dot):
    """Neither silence nor an octet now and then nor half a handshake holds a connection."""
    p = dot(extra='tls-handshake = 3s tcp-first = 60s tcp-idle = 60s')
    before = at_rest(p)
    hello = client_hello(p)
    with socket.create_connection(('127.0.0.1', p.tls), timeout=20) as silent, \
            socket.create_connection(('127.0.0.1', p.tls), timeout=20) as half, \
            socket.create_connection(('127.0.0.1', p.tls), timeout=20) as begun, dial(p) as good:
        half.sendall(hello[:100])
        begun.sendall(hello)
        assert closed(silent) and closed(half)
        try:
            while begun.recv(65536):
                pass
        except ConnectionResetError:
            pass
        assert asks(good, 1), 'the limit is for handshakes'
    zl.wait_for(lambda: descriptors(p) <= before, 'all to be closed')


def client_hello(p):
    out = ssl.MemoryBIO()
    c = p.cert.context().wrap_bio(ssl.MemoryBIO(), out, server_hostname=p.cert.name)
    with pytest.raises(ssl.SSLWantReadError):
        c.do_handshake()
    return out.read()


def test_a_handshake_cut_at_every_octet(dot):
    """The client goes away in the middle of its first or its second flight (one peer looped in a crash on that)."""
    p = dot(extra='tcp-clients = 2000 tcp-per-source = 2000')
    before = at_rest(p)
    hello = client_hello(p)
    for n in range(len(hello)):
        with socket.create_connection(('127.0.0.1', p.tls), timeout=10) as s:
            s.sendall(hello[:n])
    n = 0
    while True:
        incoming, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        c = p.cert.context().wrap_bio(incoming, out, server_hostname=p.cert.name)
        with socket.create_connection(('127.0.0.1', p.tls), timeout=10) as s:
            while True:
                try:
                    c.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    s.sendall(out.read())
                    incoming.write(s.recv(65536))
            c.write(framed(version(1)))
            flight = out.read()
            s.sendall(flight[:n])
        n += 1
        if n > len(flight):
            break
    zl.wait_for(lambda: descriptors(p) <= before, 'all to be closed')
    with dial(p) as s:
        assert asks(s, 1)


def test_many_handshakes_at_once(dot):
    """A worker makes a few at a time, and forgets none."""
    p = dot(workers=2, extra='tcp-per-source = 1000 tls-handshake = 60s')
    context = p.cert.context()
    clients = []
    for _ in range(200):
        raw = socket.create_connection(('127.0.0.1', p.tls), timeout=30)
        s = context.wrap_socket(raw, server_hostname=p.cert.name, do_handshake_on_connect=False)
        s.setblocking(False)
        with contextlib.suppress(ssl.SSLWantReadError):
            s.do_handshake()
        clients.append(s)
    assert udp(p, version(1)).id == 1
    for i, s in enumerate(clients):
        s.settimeout(30)
        s.do_handshake()
        assert asks(s, i)
        s.close()


def test_half_handshakes_lock_nobody_out(dot):
    """Three times as many as there are places, from many addresses: UDP is answered, and who comes new is let in."""
    p = dot(extra='tcp-clients = 100 tls-handshake = 60s')
    hello = client_hello(p)
    halves = []
    for i in range(300):
        s = socket.socket()
        s.settimeout(15)
        s.bind((f'127.0.{1 + i // 50}.{1 + i % 50}', 0))
        s.connect(('127.0.0.1', p.tls))
        with contextlib.suppress(OSError):
            s.sendall(hello[:-1] if i % 2 else hello)
        halves.append(s)
    assert udp(p, version(1)).id == 1
    # a worker that has no processor still has some of them before it, and they are newer then than whom the other let in
    zl.wait_for(lambda: sum(map(ended, halves)) == 200, 'all places to be taken, and no more', timeout=60)
    for i in range(5):
        with dial(p) as s:
            assert asks(s, i)
    for s in halves:
        s.close()


def ended(s):
    """Has the server closed it? It may have answered before that."""
    s.setblocking(False)
    try:
        while s.recv(65536):
            pass
        return True
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_mangled_records(dot):
    """Every octet of a ClientHello in turn is another one: refused or not, nothing breaks."""
    p = dot(extra='tls-handshake = 2s tcp-clients = 2000 tcp-per-source = 2000')
    hello = client_hello(p)
    open_ones = []
    for i in range(len(hello)):
        s = socket.create_connection(('127.0.0.1', p.tls), timeout=10)
        s.sendall(hello[:i] + bytes([hello[i] ^ 0x55]) + hello[i + 1:])
        open_ones.append(s)
    for s in open_ones:
        try:
            while s.recv(65536):
                pass
        except ConnectionResetError:
            pass
        s.close()
    with dial(p) as s:
        assert asks(s, 1)


def test_a_client_that_never_reads(dot):
    p = dot(workers=1, extra='tcp-write = 1s')
    before = at_rest(p)
    query = framed(version(1)) * 1000
    with dial(p, timeout=0.5) as s:
        sent = 0
        try:
            while sent < 300_000_000:
                sent += s.send(query)
        except (TimeoutError, OSError):
            pass
        assert sent < 100_000_000
        assert udp(p, version(2)).id == 2
        rss = [int(line.split()[1]) for line in open(f'/proc/{p.p.pid}/status') if line.startswith('VmRSS')][0]
        assert rss < 400_000  # kB; a sanitizer's shadow included
        zl.wait_for(lambda: descriptors(p) <= before, 'the connection to be closed', timeout=30)


def test_several_addresses(authd, place):
    """Also IPv6, also a wildcard; the default port is 853, which the configuration's own test shows."""
    cert = certs.Certificate(place / 'cert')
    port = zl.free_port()
    six = ['::1'] if has_ipv6() else []
    names = ', '.join(f'"{a}@{port}"' for a in ('0.0.0.0', *six))
    p = authd(extra=f'listen-tls = {{{names}}} {cert.items()}')
    for where in ('127.0.0.1', '127.0.0.77', *six):
        raw = socket.create_connection((where, port), timeout=10)
        with cert.context().wrap_socket(raw, server_hostname=cert.name) as s:
            assert asks(s, 5)


def test_tls_alone(authd, place):
    """An authd that listens for nothing but TLS."""
    cert = certs.Certificate(place / 'cert')
    p = authd()
    p.stop()
    text = (p.path / 'zl.conf').read_text()
    (p.path / 'zl.conf').write_text(text.replace('listen = ', f'{cert.items()} listen-tls = '))
    p.start()
    zl.wait_for(lambda: p.text().count('ready') >= 2, 'authd to be ready')
    p.cert, p.tls = cert, p.port
    with dial(p) as s:
        assert asks(s, 1)


@pytest.mark.skipif(os.getuid() != 0, reason='skipped: needs root to become another user')
def test_the_key_must_be_readable_for_the_user_that_authd_becomes(dot, place):
    """Else the first reload would fail, months later."""
    p = dot()
    p.stop()
    with open(p.path / 'zl.conf') as f:
        text = f.read()
    (p.path / 'zl.conf').write_text(text.replace('workers = ', 'user = "nobody" workers = '))
    p.start()
    assert p.p.wait(20) == 1
    assert str(p.cert.key) in p.text() and 'Permission denied' in p.text()
