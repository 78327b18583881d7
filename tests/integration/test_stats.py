"""What authd counts, and what syncd, zonectl and Prometheus are told of it: the numbers equal what was sent."""
import json
import re
import signal
import socket

import alone
import certs
import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.tsig
import pytest
import zl

ZONE = 'example.test'


def served(node, **kw):
    n = node(level='info', **kw)
    n.start()
    (n.path / 'zone').write_text(zl.small_zone(1, extra='big TXT ' + ' '.join(f'"{"x" * 200}"' for _ in range(8))))
    n.zonectl('import', ZONE, n.path / 'zone')
    zl.wait_for(lambda: ask(n, 'www', tcp=True).rcode() == dns.rcode.NOERROR, 'the zone to be served')
    return n


def ask(n, name, rdtype='A', tcp=False, **kw):
    """Each time from another port, so that both workers get their share."""
    return zl.ask(n.port, f'{name}.{ZONE}' if not name.endswith('.') else name, rdtype, tcp, timeout=10, **kw)


def http(n, path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(20)
        s.connect(str(n.path / 'control.sock'))
        s.sendall(f'GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'.encode())
        data = b''
        while chunk := s.recv(65536):
            data += chunk
    head, _, body = data.partition(b'\r\n\r\n')
    return int(head.split()[1]), head.decode().lower(), body.decode()


def flat(j, path=()):
    if isinstance(j, dict):
        for k, v in j.items():
            yield from flat(v, path + (k,))
    elif isinstance(j, int):
        yield path, j


def difference(after, before):
    """What grew, by path."""
    old = dict(flat(before))
    return {path: n - old.get(path, 0) for path, n in flat(after) if n != old.get(path, 0)}


def metrics(text):
    """name{labels} -> value; each line is one that Prometheus can read."""
    out = {}
    typed = set()
    for line in text.splitlines():
        if line.startswith('# TYPE '):
            typed.add(line.split()[2])
        elif not line.startswith('#'):
            m = re.fullmatch(r'([a-z_]+)(?:\{((?:[a-z]+="[^"\\]*",?)*)\})? (\d+(?:\.\d+)?)', line)
            assert m, line
            assert m[1] in typed or re.sub('_(bucket|sum|count)$', '', m[1]) in typed, line
            key = m[1] + ('{' + m[2] + '}' if m[2] else '')
            assert key not in out, line
            out[key] = float(m[3])
    return out


def test_numbers_equal_what_was_sent(node):
    n = served(node)
    before = n.json('stats')
    for _ in range(20):
        ask(n, 'www')
        ask(n, 'www', tcp=True)
    for _ in range(7):
        assert ask(n, 'none', 'AAAA').rcode() == dns.rcode.NXDOMAIN
    for _ in range(5):
        assert not ask(n, 'www', 'MX').answer
    for _ in range(4):
        assert ask(n, 'x.sub').authority
    for _ in range(3):
        assert ask(n, 'elsewhere.', 'TXT').rcode() == dns.rcode.REFUSED
    assert ask(n, 'big', 'TXT', use_edns=0).flags & dns.flags.TC
    assert ask(n, 'www', 'TYPE65399').rcode() == 0
    q = dns.message.make_query(ZONE, 'A')
    formerr = bytearray(q.to_wire())
    formerr[5] = 2  # two questions
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        s.connect(('127.0.0.1', n.port))
        s.send(b'\0' * 5)  # dropped
        s.send(dns.message.make_response(q).to_wire())  # dropped
        s.send(bytes(formerr))
        assert dns.message.from_wire(s.recv(512), ignore_trailing=True).rcode() == dns.rcode.FORMERR
    want = {
        ('queries', 'udp4'): 20 + 7 + 5 + 4 + 3 + 2 + 3, ('queries', 'tcp'): 20, ('dropped', 'udp4'): 2,
        ('answers', 'udp4', 'NOERROR'): 20 + 5 + 4 + 2, ('answers', 'tcp', 'NOERROR'): 20,
        ('answers', 'udp4', 'NXDOMAIN'): 7, ('answers', 'udp4', 'REFUSED'): 3, ('answers', 'udp4', 'FORMERR'): 1,
        ('questions', 'A'): 44, ('questions', 'AAAA'): 7, ('questions', 'MX'): 5, ('questions', 'TXT'): 4,
        ('questions', 'other'): 1, ('truncated',): 1, ('tcp_accepted',): 20,
        ('outcomes', 'data'): 41, ('outcomes', 'no_type'): 6, ('outcomes', 'no_name'): 7, ('outcomes', 'referral'): 4,
        ('outcomes', 'error'): 4}

    def grew():
        return difference(n.json('stats'), before)
    # The histogram of times is written after its answers are sent.
    zl.wait_for(lambda: sum(v for k, v in grew().items() if k[0] == 'answer_seconds') == 42, 'the last batch to be counted')
    got = grew()
    sizes = {t: sum(v for k, v in got.items() if k[:2] == ('answer_octets', t)) for t in ('udp', 'stream')}
    assert sizes == {'udp': 42, 'stream': 20}
    assert {k: v for k, v in got.items() if k[0] not in ('answer_octets', 'answer_seconds')} == want
    # The same after a reload; and all that tell it agree.
    n.authd.signal(signal.SIGHUP)
    zl.wait_for(lambda: 'configuration reloaded' in n.authd.text(), 'the reload')
    ask(n, 'www')
    want[('queries', 'udp4')] += 1
    want[('answers', 'udp4', 'NOERROR')] += 1
    want[('questions', 'A')] += 1
    want[('outcomes', 'data')] += 1
    zl.wait_for(lambda: sum(v for k, v in grew().items() if k[0] == 'answer_seconds') == 43, 'the last batch to be counted')
    assert {k: v for k, v in grew().items() if k[0] not in ('answer_octets', 'answer_seconds')} == want
    everybody_agrees(n)


def everybody_agrees(n):
    stats = n.json('stats')
    status, head, body = http(n, '/metrics')
    assert status == 200 and 'content-type: text/plain' in head
    m = metrics(body)
    assert n.zonectl('metrics').stdout == body
    assert m['zoneledger_authd_up'] == 1
    assert stats['workers'] == [2]
    for path, value in flat(stats):
        if path[0] in ('answer_octets', 'answer_seconds'):
            continue
        labels = {'queries': ['transport'], 'answers': ['transport', 'rcode'], 'dropped': ['transport'], 'questions': ['type'],
                  'outcomes': ['outcome']}.get(path[0], [])
        key = f'zoneledger_authd_{path[0]}_total' + ('{' + ','.join(f'{a}="{b}"' for a, b in zip(labels, path[1:])) + '}'
                                                     if labels else '')
        assert m.get(key, 0) == value, key
    for t in ('udp', 'stream'):
        total = sum(stats['answer_octets'][t].values())
        assert m[f'zoneledger_authd_answer_octets_count{{transport="{t}"}}'] == total
        assert m[f'zoneledger_authd_answer_octets_bucket{{transport="{t}",le="+Inf"}}'] == total
        assert m[f'zoneledger_authd_answer_octets_bucket{{transport="{t}",le="65536"}}'] == total
        assert 12 * total <= m[f'zoneledger_authd_answer_octets_sum{{transport="{t}"}}'] <= 65535 * total
    assert m['zoneledger_authd_answer_seconds_count'] == sum(stats['answer_seconds'].values())
    assert m['zoneledger_authd_answer_seconds_sum'] > 0
    text = n.zonectl('stats').stdout
    assert re.search(rf'^queries .*udp4 {stats["queries"]["udp4"]}\b', text, re.M), text
    assert re.search(rf'^answers tcp .*NOERROR {stats["answers"]["tcp"]["NOERROR"]}\b', text, re.M), text
    assert stats['started'][0] in text


def test_a_restart_begins_anew_and_an_absence_is_told(node):
    n = served(node)
    ask(n, 'www')
    first = n.json('stats')
    assert first['queries']['udp4'] > 0
    # syncd reads what authd kept, also when it was away meanwhile.
    n.syncd.stop()
    ask(n, 'www')
    n.syncd.start()
    zl.wait_for(lambda: n.ready() and n.status()['authd_connected'], 'authd to connect again')
    second = n.json('stats')
    assert second['queries']['udp4'] == first['queries']['udp4'] + 1 and second['started'] == first['started']
    n.authd.kill()
    zl.wait_for(lambda: not n.status()['authd_connected'], 'syncd to see that authd is gone')
    r = n.zonectl('stats', check=False)
    assert r.returncode != 0 and 'authd is not connected' in r.stderr
    assert http(n, '/api/v1/servers/localhost/stats')[0] == 503
    status, _, body = http(n, '/metrics')
    assert status == 200 and metrics(body)['zoneledger_authd_up'] == 0
    assert 'queries' not in body, 'no number is better than an old one'
    n.authd.start()
    zl.wait_for(lambda: n.status()['authd_connected'], 'authd to connect')
    third = n.json('stats')
    assert third['queries']['udp4'] == 0 and third['started'] >= first['started']


def test_what_is_handed_over(node):
    key = zl.Key()
    n = served(node)
    before = n.json('stats')
    m = dns.message.make_query(ZONE, 'SOA')
    m.set_opcode(dns.opcode.NOTIFY)
    dns.query.udp(m, '127.0.0.1', port=n.port, timeout=10)
    m = dns.message.make_query(ZONE, 'SOA')
    m.set_opcode(dns.opcode.UPDATE)
    dns.query.udp(m, '127.0.0.1', port=n.port, timeout=10)
    m = dns.message.make_query(ZONE, 'SOA')
    m.use_tsig(key.ring(), key.name, algorithm=key.algorithm)
    with pytest.raises(dns.tsig.PeerBadKey):
        dns.query.udp(m, '127.0.0.1', port=n.port, timeout=10)
    grew = difference(n.json('stats'), before)
    assert (grew[('handed_notify',)], grew[('handed_update',)], grew[('handed_signed',)]) == (1, 1, 1)
    assert sum(v for k, v in grew.items() if k[:2] == ('answers', 'udp4')) == 3 == grew[('queries', 'udp4')]
    # Without syncd they are answered all the same, and counted as failures.
    n.syncd.stop()
    m = dns.message.make_query(ZONE, 'SOA')
    m.set_opcode(dns.opcode.NOTIFY)
    assert dns.query.udp(m, '127.0.0.1', port=n.port, timeout=10).rcode() == dns.rcode.SERVFAIL
    n.syncd.start()
    zl.wait_for(lambda: n.ready() and n.status()['authd_connected'], 'authd to connect again')
    grew = difference(n.json('stats'), before)
    assert (grew[('handed_notify',)], grew[('handover_failures',)]) == (2, 1)


def test_ipv6_and_tls_are_apart(node):
    if not alone.has_ipv6():
        pytest.skip('skipped: no IPv6 here')
    n = node(level='info')
    cert = certs.Certificate(n.path / 'tls')
    tls_port = zl.free_port()
    n.options['authd'] = f'{cert.items()} listen-tls = {{"127.0.0.1@{tls_port}"}}'
    original = n.write_config

    def write_config():
        original()
        n.conf.write_text(n.conf.read_text().replace(f'"127.0.0.1@{n.port}"', f'"127.0.0.1@{n.port}", "::1@{n.port}"'))
    n.write_config = write_config
    n.start()
    q = dns.message.make_query('refused.test', 'A')
    for _ in range(3):
        dns.query.udp(q, '::1', port=n.port, timeout=10)
    with socket.create_connection(('127.0.0.1', tls_port), timeout=10) as raw:
        with cert.context().wrap_socket(raw, server_hostname=cert.name) as s:
            for _ in range(2):
                dns.query.send_tcp(s, q)
                assert dns.query.receive_tcp(s)[0].rcode() == dns.rcode.REFUSED
    s = n.json('stats')
    assert s['queries'] == {'udp4': 0, 'udp6': 3, 'tcp': 0, 'tls': 2}
    assert s['answers']['udp6'] == {'REFUSED': 3} and s['answers']['tls'] == {'REFUSED': 2}
    assert (s['tcp_accepted'], s['tls_accepted'], s['tls_handshakes'], s['tls_failed']) == (1, 1, 1, 0)


def test_zones_may_have_counters_of_their_own(node):
    n = served(node)
    r = n.zonectl('stats', '--zone', ZONE, check=False)
    assert r.returncode != 0 and 'zone-counters = yes' in r.stderr
    n.stop()
    n.options['authd'] = 'zone-counters = yes'
    n.write_config()
    n.restart()
    (n.path / 'other').write_text(zl.small_zone(1, zone='other.test'))
    n.zonectl('import', 'other.test', n.path / 'other')
    zl.wait_for(lambda: ask(n, 'www.other.test.', tcp=True).rcode() == 0, 'the other zone to be served')

    def zone(name):
        return n.json('stats', '--zone', name)
    before, other = zone('Example.TEST.'), zone('other.test')
    for _ in range(9):
        ask(n, 'www')
    ask(n, 'none')
    ask(n, 'big', 'TXT')
    # A new version of the zone goes on where the old one was.
    (n.path / 'zone').write_text(zl.small_zone(2))
    n.zonectl('import', ZONE, n.path / 'zone')
    zl.wait_for(lambda: ask(n, ZONE + '.', 'SOA', tcp=True).answer[0][0].serial == 2, 'the new version')
    got = difference(zone(ZONE), before)
    soa = got[('outcomes', 'data')] - 10
    assert soa >= 1 and got[('outcomes', 'no_name')] == 1 and got[('truncated',)] == 1 and got[('octets',)] > 11 * 30
    assert difference(zone('other.test'), other) == {}
    r = n.zonectl('stats', '--zone', 'nowhere.test', check=False)
    assert r.returncode != 0 and 'no counters of this zone' in r.stderr
    assert ZONE in n.zonectl('stats', '--zone', ZONE).stdout
    assert json.loads(n.zonectl('--json', 'stats').stdout)['queries']['udp4'] >= 11
