"""The control surface from another machine: by TLS, with keys that say who it is and what that may do."""
import http.client
import json
import re
import shutil
import signal
import socket
import ssl
import time

import certs
import pytest
import zl

ZONE = 'example.test'
BASE = '/api/v1/servers/localhost'
ROLES = ('read', 'zones', 'admin')


class Remote:
    """Keys of all roles, a certificate, and a node that listens."""

    def __init__(self, node, path, start=True):
        self.port = zl.free_port()
        self.url = f'https://localhost:{self.port}'
        self.certificate = certs.Certificate(path / 'api', 'localhost')
        self.keys, self.sections = {}, {}
        for role in ROLES:
            self.keys[role] = path / f'{role}.key'
            self.sections[role] = zl.run(zl.BIN / 'zonectl', 'api-key', f'the-{role}', self.keys[role], '--role', role)
        self.node = node(extra=self.config())
        if start:
            self.node.start(authd=False)

    def config(self, *more, listen=None, roles=ROLES):
        where = listen if listen is not None else f'"127.0.0.1@{self.port}"'
        return '\n'.join([f'api {{ listen = {{{where}}} tls-certificate = "{self.certificate.crt}" '
                          f'tls-key = "{self.certificate.key}" }}', *(self.sections[r] for r in roles), *more])

    def reload(self, extra):
        self.node.options['extra'] = extra
        self.node.write_config()
        before = self.node.syncd.text().count('configuration reloaded') + self.node.syncd.text().count('reload refused')
        self.node.syncd.signal(signal.SIGHUP)
        zl.wait_for(lambda: self.node.syncd.text().count('configuration reloaded')
                    + self.node.syncd.text().count('reload refused') > before, 'the reload')

    def secret(self, role):
        return self.keys[role].read_text().strip()

    def connect(self):
        c = http.client.HTTPSConnection('127.0.0.1', self.port, timeout=30, context=ssl._create_unverified_context())
        c.connect()
        return c

    def ask(self, method, path, key=None, body=None, connection=None):
        """Status and body of an answer."""
        c = connection or self.connect()
        c.request(method, path, body=body, headers={'X-API-Key': key} if key else {})
        r = c.getresponse()
        return r.status, r.read().decode()

    def zonectl(self, role, *args, check=True, stdin=None, ca=None):
        r = zl.subprocess.run([zl.BIN / 'zonectl', '--url', self.url, '--key-file', self.keys[role], '--ca',
                               ca or self.certificate.crt, *map(str, args)], capture_output=True, text=True, input=stdin, timeout=60)
        assert not check or r.returncode == 0, r.stderr
        return r


@pytest.fixture
def remote(node, tmp_path):
    return Remote(node, tmp_path)


def test_an_operator_acts_from_elsewhere_and_the_history_says_who(node, tmp_path):
    r = Remote(node, tmp_path, start=False)
    n = r.node.start()
    r.zonectl('zones', 'import', ZONE, '-', '--reason', 'from afar', stdin=zl.small_zone(1))
    r.zonectl('zones', 'import', ZONE, '-', stdin=zl.small_zone(2, www='192.0.2.99'))
    r.zonectl('zones', 'rollback', ZONE, '--to', 'v1', '--reason', 'a mistake')
    assert 'example.test' in r.zonectl('read', 'zone', 'list').stdout
    versions = n.log(ZONE)
    assert [v['who'] for v in versions] == ['api:the-zones'] * 3
    assert [v['transport'] for v in versions] == ['https'] * 3 and versions[0]['reason'] == 'a mistake'
    assert len(n.json('log', ZONE, '--user', 'api:the-zones')) == 3
    n.journaled()
    assert n.git('log', '-1', '--format=%an', ZONE).strip() == 'api:the-zones'
    acts = n.json('log', '--actions')
    assert [a['who'] for a in acts] == ['api:the-zones'] * 3 and all('client=127.0.0.1' in a['detail'] for a in acts)
    assert n.verify()['faults'] == []
    for role in ROLES:
        for text in (n.syncd.text(), n.conf.read_text(), n.zonectl('metrics').stdout):
            assert r.secret(role) not in text


def test_who_has_no_right_key_gets_nothing(remote):
    r = remote
    good = r.secret('admin')
    for key in (None, '', 'zl_', good[:-1], good + '0', good[:-1] + ('0' if good[-1] != '0' else '1'), good.upper()):
        status, body = r.ask('GET', f'{BASE}/zones', key)
        assert status == 401 and json.loads(body)['kind'] == 'auth' and 'example' not in body, key
    assert r.ask('GET', '/no/such/path')[0] == 401, 'not even what there is'
    assert r.ask('GET', f'{BASE}/zones', good)[0] == 200
    log = r.node.syncd.text()
    assert log.count('the control surface refused a request') == 8 and 'from=127.0.0.1' in log and good[:-1] not in log


def test_guessing_is_slowed_down(remote):
    r = remote
    got = [r.ask('GET', f'{BASE}/zones', 'zl_' + '0' * 64)[0] for _ in range(14)]
    assert got[:10] == [401] * 10 and 429 in got[10:] and set(got) == {401, 429}
    assert r.ask('GET', f'{BASE}/zones', r.secret('read'))[0] in (429, 200)
    assert r.node.json('zone', 'list') == [], 'the socket is not concerned'
    zl.wait_for(lambda: r.ask('GET', f'{BASE}/zones', r.secret('read'))[0] == 200, 'the right key to be taken again', 30)


def routes():
    """Method, path and role of each row of the table."""
    text = (zl.ROOT / 'syncd/api_routes.c').read_text()
    rows = re.findall(r'\{EVHTTP_REQ_(\w+),\s+(BASE )?"([^"]*)",\s+CONFIG_API_(\w+),', text)
    assert len(rows) == text.count('{EVHTTP_REQ_') and len(rows) > 40
    return [(m, (BASE if base else '') + p.replace('{*}', '192.0.2.1').replace('{}', 'nowhere.test'), role) for m, base, p, role in rows]


def test_each_route_with_each_role(remote):
    """One table says what a role may do, and this walks all of it."""
    needs = {'READS': 0, 'ZONES': 1, 'ADMIN': 2}
    r, wrong, seen = remote, [], set()
    connections = {role: r.connect() for role in ROLES}
    for method, path, need in routes():
        seen.add(need)
        if method != 'GET' and need == 'READS':
            assert path in (f'{BASE}/verify', f'{BASE}/rollback/plan', f'{BASE}/remotes/verify'), 'reading changes nothing'
        for i, role in enumerate(ROLES):
            status, body = r.ask(method, path, r.secret(role), '{}' if method != 'GET' else None, connections[role])
            refused = status == 403 and f'api:the-{role} has {role}' in body
            if refused != (i < needs[need]) or status == 401:
                wrong.append(f'{method} {path} with {role}: {status} {body}')
    assert not wrong, '\n'.join(wrong)
    assert seen == set(needs)


def test_a_key_is_for_some_networks(node, tmp_path):
    r = Remote(node, tmp_path, start=False)
    elsewhere = r.sections['admin'].replace('role', 'from = {"192.0.2.0/24"}\n    role')
    r.node.options['extra'] = r.config(elsewhere, roles=('read',))
    r.node.start(authd=False)
    assert r.ask('GET', f'{BASE}/zones', r.secret('read'))[0] == 200
    status, body = r.ask('GET', f'{BASE}/zones', r.secret('admin'))
    assert status == 401 and 'not for this address' in body
    r.reload(r.config(elsewhere, roles=()))  # nobody from here has a key now
    with pytest.raises((OSError, http.client.HTTPException)):
        r.ask('GET', f'{BASE}/zones', r.secret('read'))
    assert r.node.json('zone', 'list') == []


def test_keys_certificates_and_addresses_change_with_a_reload(remote, tmp_path):
    r = remote
    standing = r.connect()
    assert r.ask('GET', f'{BASE}/zones', r.secret('read'), connection=standing)[0] == 200
    r.reload(r.config(roles=('zones',)))
    assert r.ask('GET', f'{BASE}/zones', r.secret('read'), connection=standing)[0] == 401, 'a key that was taken away, at once'
    assert r.ask('GET', f'{BASE}/zones', r.secret('zones'), connection=standing)[0] == 200
    old = tmp_path / 'old.crt'
    shutil.copy(r.certificate.crt, old)
    certs.Certificate(tmp_path / 'api', 'localhost')  # the same files
    r.reload(r.config())
    assert r.zonectl('read', 'zone', 'list', check=False, ca=old).returncode == 3
    r.zonectl('read', 'zone', 'list')
    r.certificate.key.write_text('no key\n')
    before = tmp_path / 'before.crt'
    shutil.copy(r.certificate.crt, before)
    r.reload(r.config())
    log = r.node.syncd.text()
    assert 'reload refused' in log and f'api: tls-key {r.certificate.key}: holds no private key' in log
    r.zonectl('read', 'zone', 'list', ca=before)
    certs.Certificate(tmp_path / 'api', 'localhost')
    second = zl.free_port()
    r.reload(r.config(listen=f'"127.0.0.1@{second}"'))
    with pytest.raises(OSError):
        r.connect()
    r.port, r.url = second, f'https://localhost:{second}'
    r.zonectl('read', 'zone', 'list')
    r.reload('')
    with pytest.raises(OSError):
        r.connect()
    assert 'the control surface listens no more' in r.node.syncd.text()


def test_no_way_around_tls(remote):
    r = remote
    with socket.create_connection(('127.0.0.1', r.port), timeout=30) as s:
        s.sendall(f'GET {BASE}/zones HTTP/1.1\r\nHost: x\r\nX-API-Key: {r.secret("admin")}\r\n\r\n'.encode())
        assert b'HTTP/1.1 200' not in s.recv(1000)
    for option, stands in (('-tls1_3', True), ('-tls1_2', True), ('-tls1_1', False)):
        out = zl.subprocess.run(['openssl', 's_client', '-connect', f'127.0.0.1:{r.port}', option, '-cipher', 'DEFAULT@SECLEVEL=0'],
                                input='', capture_output=True, text=True, timeout=30)
        assert ('BEGIN CERTIFICATE' in out.stdout) == stands, (option, out.stdout)


def test_connections_are_bounded(remote):
    """From one address there are sixteen; those that say nothing go by themselves."""
    r = remote
    idle = [socket.create_connection(('127.0.0.1', r.port), timeout=30) for _ in range(40)]

    def cut():
        gone = 0
        for s in idle:
            s.setblocking(False)
            try:
                gone += s.recv(1) == b''
            except (BlockingIOError, ConnectionError) as e:
                gone += isinstance(e, ConnectionError)
        return gone
    zl.wait_for(lambda: cut() >= 24, 'all but sixteen to be closed')
    assert r.node.json('zone', 'list') == []
    zl.wait_for(lambda: cut() == 40, 'those that say nothing to be closed', 60)
    assert r.ask('GET', f'{BASE}/zones', r.secret('read'))[0] == 200
    for s in idle:
        s.close()


def test_a_trickle_ends_and_a_flood_does_no_harm(remote):
    r = remote
    c = r.connect()
    c.putrequest('POST', f'{BASE}/rollback/plan')
    c.putheader('Content-Length', '100')
    c.endheaders()
    start = time.monotonic()
    with pytest.raises((OSError, http.client.HTTPException)):
        while time.monotonic() - start < 60:
            c.send(b' ')
            time.sleep(0.5)
    for method, path, body, headers in (('PUT', f'{BASE}/zones/{ZONE}/import', b'x' * (3 << 20), {}),
                                        ('GET', f'{BASE}/zones?' + 'a' * 30000, None, {}),
                                        ('GET', f'{BASE}/zones', None, {'X': 'y' * 30000}),
                                        ('OPTIONS', f'{BASE}/zones', None, {}), ('TRACE', '/', None, {})):
        c = r.connect()
        try:
            c.request(method, path, body=body, headers={'X-API-Key': r.secret('admin'), **headers})
            assert c.getresponse().status >= 400, (method, path[:40])
        except (OSError, http.client.HTTPException):
            pass
    assert r.ask('GET', f'{BASE}/zones', r.secret('admin')) == (200, '[]\n')


def test_what_is_wrong_is_said(node, tmp_path):
    r = Remote(node, tmp_path, start=False)
    n = r.node
    right = r.config(roles=('read',))
    for change, want in ((lambda t: t.replace(f'tls-key = "{r.certificate.key}"', ''), 'api: listen: needs tls-certificate and tls-key'),
                         (lambda t: r.config(roles=()), 'api: listen: needs an api-key'),
                         (lambda t: t.replace('role = "read"', 'role = "root"'), "api-key 'the-read': role should be read, zones or admin"),
                         (lambda t: re.sub('hash = "..', 'hash = "', t), "api-key 'the-read': hash should be"),
                         (lambda t: t.replace('role = "read"', 'from = {"nowhere"}'), "api-key 'the-read': from:"),
                         (lambda t: t.replace('"the-read"', '"the read"'), "api-key 'the read': its name"),
                         (lambda t: t.replace('127.0.0.1@', '127.0.0.1:'), 'api: listen:')):
        n.options['extra'] = change(right)
        n.write_config()
        out = zl.subprocess.run([zl.BIN / 'syncd', '-c', n.conf, '--check'], capture_output=True, text=True)
        assert out.returncode == 1 and re.search(rf'{n.conf}:\d+: .*{re.escape(want)}', out.stderr), (want, out.stderr)
    again = zl.subprocess.run([zl.BIN / 'zonectl', 'api-key', 'x', r.keys['read']], capture_output=True, text=True)
    assert again.returncode == 1 and 'File exists' in again.stderr, 'no key is overwritten'
    assert r.keys['read'].stat().st_mode & 0o777 == 0o600
    for args, code, want in ((['--url', r.url, 'status'], 64, 'needs --key-file'),
                             (['--url', 'http://localhost', '--key-file', r.keys['read'], 'status'], 64, 'should be https://'),
                             (['--url', r.url, '--key-file', '/nowhere', 'status'], 64, '/nowhere'),
                             (['--url', r.url, '--key-file', r.keys['read'], 'status'], 3, r.url),
                             (['--url', r.url, '--key-file', r.keys['read'], 'journal', 'restore'], 64, 'on the node itself')):
        out = zl.subprocess.run([zl.BIN / 'zonectl', *args], capture_output=True, text=True)
        assert out.returncode == code and want in out.stderr, (args, out.stderr)


def test_nodes_are_compared_from_elsewhere(remote):
    r = remote
    r.zonectl('zones', 'import', ZONE, '-', stdin=zl.small_zone(1))
    out = zl.subprocess.run([zl.BIN / 'zonectl', '--key-file', r.keys['read'], '--ca', r.certificate.crt, 'compare', r.url,
                             r.node.path], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
