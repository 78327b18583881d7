"""Response-rate limiting: a flood from one network is answered at the rate, and nobody else notices.

Nothing here depends on how fast the machine is: with a rate of one answer a second, a flood is over it
wherever it runs, and the counters tell exactly what became of each query.
"""
import signal
import socket

import dns.flags
import dns.message
import dns.query
import dns.rcode
import zl

ZONE = 'example.test'
FLOOD = 60


def served(node, authd='rrl-rate = 1', rrl='yes', extra=''):
    n = node(rrl=rrl, authd=authd + ' rrl-negative-rate = 1 rrl-referral-rate = 1 rrl-error-rate = 1', level='info')
    n.start()
    (n.path / 'zone').write_text(zl.small_zone(1, extra=extra))
    n.zonectl('import', ZONE, n.path / 'zone')
    zl.wait_for(lambda: tcp(n).rcode() == dns.rcode.NOERROR, 'the zone to be served')
    return n


def tcp(n, name='www.' + ZONE, rdtype='A', source=None):
    return dns.query.tcp(dns.message.make_query(name, rdtype), '127.0.0.1', port=n.port, timeout=10, source=source)


def rates(n):
    s = n.json('stats')
    return {k: s[k] for k in ('rate_limited', 'rate_dropped', 'rate_slipped')} | {'queries': sum(s['queries'].values()),
                                                                                  'answers': answers(s)}


def answers(s):
    return sum(sum(by.values()) for by in s['answers'].values())


def flood(n, name='www.' + ZONE, rdtype='A', source='127.0.0.1', count=FLOOD, names=None):
    """Sends, waits until authd has seen all, takes what came back; and what the counters say of it."""
    before = rates(n)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((source, 0))
        s.connect(('127.0.0.1', n.port))
        for i in range(count):
            s.send(dns.message.make_query(names(i) if names else name, rdtype, use_edns=0).to_wire())

        def told_of_all():
            now = rates(n)
            told = {k: now[k] - before[k] for k in now}
            return told['queries'] == told['answers'] + told['rate_dropped'] == count and told
        told = zl.wait_for(told_of_all, 'the flood to be seen')
        s.settimeout(10)
        got = [dns.message.from_wire(s.recv(4096)) for _ in range(told['answers'])]
        s.setblocking(False)
        try:
            raise AssertionError(f'more answers than were counted: {s.recv(4096)}')
        except BlockingIOError:
            pass
    return got, told


def is_empty(m):
    return bool(m.flags & dns.flags.TC) and not m.answer and not m.authority and m.rcode() == 0


def limited(got, told, count=FLOOD, slip=2):
    """The counters and the client are of one mind; gives how many full answers came."""
    empty = sum(is_empty(m) for m in got)
    assert told['rate_slipped'] == empty
    assert told['rate_dropped'] == count - len(got)
    assert told['rate_limited'] == told['rate_dropped'] + told['rate_slipped']
    full = len(got) - empty
    assert 1 <= full < count and told['rate_limited'] > 0
    # Every second one slips; where the bucket had time to become full, the count began anew.
    assert abs(told['rate_slipped'] * slip - told['rate_limited']) <= slip * full
    return full


def test_a_flood_is_limited_and_slips(node):
    n = served(node)
    got, told = flood(n)
    limited(got, told)
    assert all(m.opt is not None for m in got), 'an answer to EDNS has OPT, an empty one too'
    # TCP goes on, and so it does for as many as like.
    assert all(tcp(n).answer for _ in range(FLOOD))
    # The neighbour's neighbour has a bucket of its own.
    other = dns.query.udp(dns.message.make_query('www.' + ZONE, 'A'), '127.0.0.1', port=n.port, timeout=10, source='127.0.1.1')
    assert other.answer and not other.flags & dns.flags.TC
    # The log says so once, and names the network.
    lines = [line for line in n.authd.text().splitlines() if 'answers to a network are limited' in line]
    assert len(lines) == 1 and 'network=127.0.0.0/24' in lines[0] and f'name=www.{ZONE}.' in lines[0], lines


def test_names_that_anybody_can_make_up_share_a_bucket(node):
    """Random names below a zone, a wildcard, a delegation; and errors."""
    n = served(node)
    for source, where, rcode in (('127.0.1.1', ZONE, dns.rcode.NXDOMAIN), ('127.0.2.1', 'wild.' + ZONE, dns.rcode.NOERROR),
                                 ('127.0.3.1', 'sub.' + ZONE, dns.rcode.NOERROR)):
        got, told = flood(n, source=source, names=lambda i, where=where: f'r{i}.{where}',
                          rdtype='TXT' if 'wild' in where else 'A')
        limited(got, told)
        assert all(m.rcode() == rcode for m in got if not is_empty(m))
    # What slips of an error is the error: it is as short, and TCP would give no other.
    got, told = flood(n, source='127.0.4.1', names=lambda i: f'r{i}.elsewhere.test')
    assert told['rate_dropped'] == FLOOD - len(got) > 0 and told['rate_slipped'] > 0
    assert all(m.rcode() == dns.rcode.REFUSED and not m.flags & dns.flags.TC for m in got)


def test_names_that_exist_have_buckets_of_their_own(node):
    n = served(node, extra='\n'.join(f'h{i} A 192.0.2.{i}' for i in range(FLOOD)))
    got, told = flood(n, names=lambda i: f'h{i}.{ZONE}')
    assert len(got) == FLOOD and told['rate_limited'] == 0 and all(m.answer for m in got)


def test_exempt_networks(node):
    n = served(node, 'rrl-rate = 1 rrl-exempt = {"127.0.2.0/24", "127.0.3.7"}')
    for source in ('127.0.2.1', '127.0.2.200', '127.0.3.7'):
        got, told = flood(n, source=source)
        assert len(got) == FLOOD and told['rate_limited'] == 0 and all(m.answer for m in got)
    # An address that is exempt leaves its neighbours as they are.
    limited(*flood(n, source='127.0.4.8'))


def test_slip_0_and_1_and_narrow_networks(node):
    n = served(node, 'rrl-rate = 1 rrl-slip = 0 rrl-ipv4-prefix = 32')
    got, told = flood(n)
    assert told['rate_slipped'] == 0 and not any(is_empty(m) for m in got) and told['rate_dropped'] == FLOOD - len(got) > 0
    got, told = flood(n, source='127.0.0.2', count=1)
    assert len(got) == 1 and not is_empty(got[0])
    reconfigure(n, 'rrl-rate = 1 rrl-slip = 1')
    got, told = flood(n, source='127.0.5.1')
    assert told['rate_dropped'] == 0 and len(got) == FLOOD and told['rate_slipped'] == sum(is_empty(m) for m in got) > 0


def reconfigure(n, authd, rrl='yes'):
    n.options['authd'], n.options['rrl'] = authd, rrl
    n.write_config()
    seen = n.authd.text().count('configuration reloaded')
    n.authd.signal(signal.SIGHUP)
    zl.wait_for(lambda: n.authd.text().count('configuration reloaded') > seen, 'the reload')


def test_log_only_and_off_by_reload(node):
    n = served(node, 'rrl-rate = 1 rrl-log-only = yes')
    got, told = flood(n)
    assert len(got) == FLOOD and all(m.answer for m in got), 'counted, but sent'
    assert told['rate_limited'] > 0 and told['rate_dropped'] == told['rate_slipped'] == 0
    assert 'a network passes the rate limit; its answers are sent' in n.authd.text()
    reconfigure(n, 'rrl-rate = 1')
    limited(*flood(n, source='127.0.7.1'))
    reconfigure(n, '', 'no')
    got, told = flood(n)
    assert len(got) == FLOOD and told['rate_limited'] == 0
    n.authd.signal(signal.SIGHUP)


def test_it_is_on_unless_somebody_says_no(node):
    """With the defaults: more than the 200 answers that a bucket holds, in one go."""
    n = node(rrl='yes', authd='', level='info')
    n.start()
    told = {'rate_limited': 0}
    for i in range(20):  # on a machine that is slow enough, 200 a second are not even sent
        got, told = flood(n, source='127.0.9.1', name='refused.test', count=230)
        assert told['rate_dropped'] == 230 - len(got)
        if told['rate_limited']:
            break
    assert told['rate_limited'] > 0
