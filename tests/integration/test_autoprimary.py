"""A zone appears by itself when a trusted primary announces it ("super-slave"), and only then."""
import json
import subprocess
import threading

import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import hostile
import pytest
import zl

ZONE = 'new.test'
OURS = 'ns1.us.test'


def zone_text(serial, zone=ZONE, ns=OURS):
    return f"""$ORIGIN {zone}.
$TTL 300
@ SOA ns.hidden.test. hostmaster {serial} 3600 600 86400 300
@ NS {ns}.
@ NS ns.elsewhere.test.
www A 192.0.2.80
"""


def trusting(node, p, **more):
    """A node that has no zone, but trusts a primary to bring some."""
    items = {'nameservers': '{"ns9.us.test", "%s"}' % OURS, **more}
    body = ' '.join(f'{k.replace("_", "-")} = {v}' for k, v in items.items())
    n = node(extra=f'autoprimary "customer" {{ primaries = {{"{p.name}"}} {body} }}')
    n.primaries[p.name] = (f'127.0.0.1@{p.port}', p.key)
    return n


def notify(n, zone, key=None, source='127.0.0.1'):
    m = dns.message.make_query(zone, 'SOA')
    m.set_opcode(dns.opcode.NOTIFY)
    m.flags = (m.flags | dns.flags.AA) & ~dns.flags.RD
    if key:
        m.use_tsig(key.ring(), key.name, algorithm=key.algorithm)
    return dns.query.udp(m, '127.0.0.1', port=n.port, timeout=5, source=source).rcode()


def refused(n, zone, words):
    zl.wait_for(lambda: any(zone in x and words in x for x in n.syncd.text().splitlines() if 'warning' in x),
                f'the log to say {words!r} of {zone}')
    assert n.ask(zone, 'SOA').rcode() == dns.rcode.REFUSED


@pytest.mark.parametrize('signed', [False, True], ids=['plain', 'tsig'])
@pytest.mark.parametrize('name', sorted(zl.PEERS))
def test_a_zone_appears_and_follows(name, signed, peer, node):
    p = peer(name, zl.Key() if signed else None)
    n = trusting(node, p)
    p.notify_to(n)
    p.write(ZONE, zone_text(1))
    n.start()
    p.start()
    if name in ('bind9', 'pdns'):  # which tell nobody at start, or later
        p.load(ZONE, zone_text(2))
    zl.wait_for(lambda: n.serial(ZONE) in (1, 2), f'the zone to appear: {n.syncd.text()[-2000:]}', timeout=40)
    z = n.zone(ZONE)
    assert z['account'] == 'customer' and z['masters'] == [f'127.0.0.1@{p.port}'], z
    p.load(ZONE, zone_text(7))
    n.wait_serial(ZONE, 7, timeout=40)
    n.verify()


def test_it_is_a_zone_like_any_other_after_a_kill(peer, node):
    p = peer('knot')
    n = trusting(node, p)
    p.write(ZONE, zone_text(1))
    p.start()
    n.start()
    assert notify(n, ZONE) == dns.rcode.NOERROR
    zl.wait_for(lambda: 'a zone appears' in n.syncd.text(), 'the zone to appear')
    n.syncd.kill()
    n.restart()
    if 'a zone is added' not in n.syncd.text():  # killed before the row was stored: told again, as primaries do
        notify(n, ZONE)
    n.wait_serial(ZONE, 1)
    p.load(ZONE, zone_text(2))
    n.zonectl('refresh', ZONE)
    n.wait_serial(ZONE, 2)
    n.journaled()
    assert [v['serial'] for v in n.log(ZONE)] == [2, 1]
    n.verify()


def test_rules(peer, node):
    """Each refusal is told with the rule that it broke; the answer is PowerDNS's: NOERROR first, then the look."""
    p = peer('knot', zl.Key('bound.test'))
    other = zl.Key('other.test')
    n = trusting(node, p, suffixes='{"test"}', zones_max=2)
    n.options['keys'] = [other]
    for zone, ns in (('one.test', OURS), ('two.test', OURS), ('three.test', OURS), ('foreign.test', 'ns.foreign.test'),
                     ('suffix.example', OURS)):
        p.write(zone, zone_text(1, zone, ns))
    p.start()
    n.start()
    key = p.key
    assert notify(n, 'one.test') == dns.rcode.NOTAUTH
    refused(n, 'one.test', 'not signed with its key')
    assert notify(n, 'one.test', other) == dns.rcode.NOTAUTH
    refused(n, 'one.test', 'signed with another key')
    assert notify(n, 'one.test', key, source='127.0.0.9') == dns.rcode.NOTAUTH
    refused(n, 'one.test', 'comes from no autoprimary')
    assert notify(n, 'suffix.example', key) == dns.rcode.NOTAUTH
    refused(n, 'suffix.example', 'of this suffix')
    assert notify(n, 'foreign.test', key) == dns.rcode.NOERROR
    refused(n, 'foreign.test', 'none of our nameservers')
    assert notify(n, 'absent.test', key) == dns.rcode.NOERROR
    refused(n, 'absent.test', 'an announced zone is not taken')
    for zone in ('one.test', 'two.test'):
        assert notify(n, zone, key) == dns.rcode.NOERROR
        n.wait_serial(zone, 1)
    assert notify(n, 'three.test', key) == dns.rcode.NOERROR
    refused(n, 'three.test', 'zones-max')
    assert sorted(z['name'] for z in n.json('zone', 'list')) == ['one.test.', 'two.test.']


def test_a_zone_of_our_own_is_not_taken_over(peer, node, place):
    p = peer('knot')
    n = trusting(node, p)
    p.write(ZONE, zone_text(9))
    p.start()
    n.start()
    (place / 'own.zone').write_text(zone_text(3))
    n.zonectl('import', ZONE, place / 'own.zone')
    assert notify(n, ZONE) == dns.rcode.NOTAUTH
    assert n.serial(ZONE) == 3 and 'a zone appears' not in n.syncd.text()


def test_its_section_says_who_may_transfer_and_is_told(peer, node):
    p = peer('knot')
    second = node('second')
    n = trusting(node, p, secondaries='{"second"}', transfer_from='{"127.0.0.9/32"}')
    n.secondaries['second'] = second
    second.secondary_of(ZONE, n, **{'refresh-min': '1h', 'retry-min': '1h'})
    p.write(ZONE, zone_text(1))
    p.start()
    n.start()
    assert notify(n, ZONE) == dns.rcode.NOERROR
    n.wait_serial(ZONE, 1)
    assert zl.transfer(n.port, ZONE) == zl.records(zone_text(1), ZONE)
    second.start()
    second.wait_serial(ZONE, 1)
    p.load(ZONE, zone_text(2))
    assert notify(n, ZONE) == dns.rcode.NOERROR
    second.wait_serial(ZONE, 2)


def test_many_at_once(peer, node):
    p = peer('knot')
    n = trusting(node, p)
    zones = [f'z{i}.test' for i in range(100)]
    for zone in zones:
        p.write(zone, zone_text(1, zone))
    p.start()
    n.start()
    for zone in zones:
        assert notify(n, zone) == dns.rcode.NOERROR
    zl.wait_for(lambda: all(n.serial(z) == 1 for z in zones), 'all to appear', timeout=60)
    assert n.status()['zones'] == 100
    n.verify()


def test_without_its_section_a_zone_stays_until_it_expires(peer, node):
    p = peer('knot')
    n = trusting(node, p)
    p.write(ZONE, zone_text(1))
    p.start()
    n.start()
    notify(n, ZONE)
    n.wait_serial(ZONE, 1)
    extra, n.options['extra'] = n.options['extra'], ''
    n.write_config()
    n.syncd.signal(1)
    zl.wait_for(lambda: 'not configured any more' in n.syncd.text(), 'the warning')
    assert n.serial(ZONE) == 1
    n.options['extra'] = extra
    n.write_config()
    n.syncd.signal(1)
    p.load(ZONE, zone_text(2))
    zl.wait_for(lambda: n.zonectl('refresh', ZONE, check=False).returncode == 0, 'the zone to have a primary again')
    n.wait_serial(ZONE, 2)


# ---- Autoprimaries that an operator adds while syncd runs ----

def api(n, method, path, body=None):
    """What a program sees: status and JSON."""
    cmd = ['curl', '-s', '-X', method, '-w', '\n%{http_code}', '--unix-socket', str(n.path / 'control.sock'),
           f'http://localhost/api/v1/servers/localhost{path}']
    if body is not None:
        cmd += ['-d', json.dumps(body)]
    text, _, status = subprocess.run(cmd, capture_output=True, text=True, check=True).stdout.rpartition('\n')
    return int(status), json.loads(text) if text.strip() else None


def add(n, p, ns=OURS, *more, check=True):
    return n.zonectl('autoprimary', 'add', f'127.0.0.1@{p.port}', ns, *more, check=check)


def test_an_operator_adds_one(peer, node):
    p = peer('knot')
    n = node()
    for zone in (ZONE, 'later.test', 'never.test'):
        p.write(zone, zone_text(1, zone))
    p.start()
    n.start()
    assert notify(n, ZONE) == dns.rcode.NOTAUTH
    out = add(n, p, OURS, '--account', "it's \\ours").stdout
    assert 'its address alone decides' in out
    assert notify(n, ZONE) == dns.rcode.NOERROR
    n.wait_serial(ZONE, 1)
    z = n.zone(ZONE)
    assert z['account'] == "it's \\ours" and z['masters'] == [f'127.0.0.1@{p.port}'], z
    (row,) = n.json('autoprimary', 'list')
    assert row['source'] == 'operator' and row['zones'] == 1 and row['zones_in_hour'] == 1 and row['nameserver'] == OURS + '.'

    # It outlives restarts, and reloads of a configuration that knows nothing of it; so does the zone.
    n.syncd.kill()
    n.restart()
    p.load(ZONE, zone_text(2))
    assert notify(n, ZONE) == dns.rcode.NOERROR
    n.wait_serial(ZONE, 2)
    n.syncd.signal(1)
    zl.wait_for(lambda: 'configuration reloaded' in n.syncd.text(), 'the reload')
    assert notify(n, 'later.test') == dns.rcode.NOERROR
    n.wait_serial('later.test', 1)

    # Once removed it brings nothing new, but its zones keep their primary.
    n.zonectl('autoprimary', 'remove', f'127.0.0.1@{p.port}', OURS)
    assert n.json('autoprimary', 'list') == []
    assert notify(n, 'never.test') == dns.rcode.NOTAUTH
    p.load(ZONE, zone_text(3))
    assert notify(n, ZONE) == dns.rcode.NOERROR
    n.wait_serial(ZONE, 3)
    n.syncd.kill()
    n.restart()
    p.load(ZONE, zone_text(4))
    assert notify(n, ZONE) == dns.rcode.NOERROR
    n.wait_serial(ZONE, 4)
    n.verify()


def test_the_interface_is_powerdns(peer, node):
    p = peer('knot', zl.Key('bound.test'))
    n = trusting(node, p)
    n.start()
    p.write(ZONE, zone_text(1))
    row = {'ip': '192.0.2.53', 'nameserver': 'NS1.us.test', 'account': 'customer'}
    status, answer = api(n, 'POST', '/autoprimaries', row)
    assert status == 201 and answer == {'ip': '192.0.2.53', 'nameserver': 'ns1.us.test.', 'account': 'customer'}
    assert api(n, 'POST', '/autoprimaries', row)[0] == 409
    assert api(n, 'POST', '/autoprimaries', {'ip': f'127.0.0.1@{p.port}', 'nameserver': OURS})[0] == 409, 'it is configured'
    status, rows = api(n, 'GET', '/autoprimaries')
    assert status == 200 and [(r['ip'], r['nameserver'], r['account'], r['source']) for r in rows] == [
        (f'127.0.0.1@{p.port}', 'ns9.us.test.', 'customer', 'config'),
        (f'127.0.0.1@{p.port}', 'ns1.us.test.', 'customer', 'config'),
        ('192.0.2.53', 'ns1.us.test.', 'customer', 'operator')]
    for wrong in ({'ip': '192.0.2.54'}, {'nameserver': 'ns1.us.test'}, {'ip': 'x', 'nameserver': 'a.test'},
                  {'ip': '192.0.2.54', 'nameserver': 'a..b'}, {'ip': '192.0.2.54', 'nameserver': '.'},
                  {'ip': '192.0.2.54', 'nameserver': 'a.test', 'account': 'x' * 41},
                  {'ip': '192.0.2.54', 'nameserver': 'a.test', 'account': 'x\ny'},
                  {'ip': '192.0.2.54', 'nameserver': 'a.test', 'key': 'nobody.test'},
                  {'ip': '192.0.2.54', 'nameserver': 'a.test', 'zones_max': -1},
                  {'ip': '192.0.2.54', 'nameserver': 'a.test', 'zones_per_hour': 0},
                  {'ip': '192.0.2.54', 'nameserver': 'a.test', 'suffixes': 'x'}):
        assert api(n, 'POST', '/autoprimaries', wrong)[0] == 400, wrong
    assert api(n, 'DELETE', '/autoprimaries/192.0.2.53/ns1.us.test.') == (204, None)
    assert api(n, 'DELETE', '/autoprimaries/192.0.2.53/ns1.us.test.')[0] == 404
    assert api(n, 'DELETE', f'/autoprimaries/127.0.0.1@{p.port}/{OURS}')[0] == 409, 'it stands in the configuration'
    assert api(n, 'DELETE', '/autoprimaries/192.0.2.53')[0] == 404
    assert len(api(n, 'GET', '/autoprimaries')[1]) == 2


def test_an_added_one_has_limits_and_its_key(peer, node):
    key, other = zl.Key('bound.test'), zl.Key('other.test')
    p = peer('knot', key)
    n = node()
    n.options['keys'] = [key, other]
    for zone in ('one.test', 'two.test', 'three.test', 'four.test', 'foreign.example'):
        p.write(zone, zone_text(1, zone))
    p.start()
    n.start()
    add(n, p, OURS, '--key', 'BOUND.test.', '--suffix', 'test', '--suffix', 'other.test', '--zones-max', 3,
        '--zones-per-hour', 2, '--account', 'small')
    assert notify(n, 'one.test') == dns.rcode.NOTAUTH
    refused(n, 'one.test', 'not signed with its key')
    assert notify(n, 'one.test', other) == dns.rcode.NOTAUTH
    refused(n, 'one.test', 'signed with another key')
    assert notify(n, 'foreign.example', key) == dns.rcode.NOTAUTH
    refused(n, 'foreign.example', 'of this suffix')
    for zone in ('one.test', 'two.test'):
        assert notify(n, zone, key) == dns.rcode.NOERROR
        n.wait_serial(zone, 1)
    assert notify(n, 'three.test', key) == dns.rcode.NOERROR
    refused(n, 'three.test', 'zones-per-hour')
    # A reload is no way around it. Other limits come with the next row of the account, for all of them.
    n.syncd.signal(1)
    zl.wait_for(lambda: 'configuration reloaded' in n.syncd.text(), 'the reload')
    assert notify(n, 'three.test', key) == dns.rcode.NOERROR
    zl.wait_for(lambda: n.syncd.text().count('zones-per-hour)') == 2, 'the second refusal')
    n.zonectl('autoprimary', 'add', '192.0.2.99', OURS, '--account', 'small', '--zones-per-hour', 100, '--key', key.name)
    assert {(r['zones_max'], r['zones_per_hour'], tuple(r['suffixes']), r['key']) for r in n.json('autoprimary', 'list')} == {
        (3, 100, ('test.', 'other.test.'), key.name)}
    assert notify(n, 'three.test', key) == dns.rcode.NOERROR
    n.wait_serial('three.test', 1)
    assert notify(n, 'four.test', key) == dns.rcode.NOERROR
    refused(n, 'four.test', 'zones-max')
    assert n.zone('three.test')['masters'] == [f'127.0.0.1@{p.port}', '192.0.2.99@53'], 'all addresses of the account'

    # Without its key in the configuration it is not in force, rather than open to everybody.
    n.options['keys'] = [other]
    n.write_config()
    n.syncd.signal(1)
    zl.wait_for(lambda: 'its key is not in the configuration' in n.syncd.text(), 'the error')
    assert n.json('autoprimary', 'list') == []
    assert notify(n, 'four.test') == dns.rcode.NOTAUTH


def test_nameservers_are_tried_in_the_order_of_the_answer(peer, node):
    """PowerDNS takes the first NS of the answer that has a row; the account is that row's."""
    p = peer('knot')
    n = node()
    p.write(ZONE, zone_text(1))
    p.start()
    n.start()
    order = [r.target.to_text() for r in zl.ask(p.port, ZONE, 'NS').answer[0]]
    add(n, p, order[1], '--account', 'second')
    add(n, p, order[0], '--account', 'first')
    assert notify(n, ZONE) == dns.rcode.NOERROR
    n.wait_serial(ZONE, 1)
    assert n.zone(ZONE)['account'] == 'first'


def test_only_its_own_primaries_speak_for_a_zone(peer, node):
    """Another autoprimary that announces it is refused, whatever it may bring itself (PowerDNS: rule 5)."""
    p = peer('knot')
    n = node()
    p.write(ZONE, zone_text(1))
    p.start()
    n.start()
    add(n, p, OURS, '--account', 'mine')
    n.zonectl('autoprimary', 'add', '127.0.0.9', OURS, '--account', 'thief')
    assert notify(n, ZONE) == dns.rcode.NOERROR
    n.wait_serial(ZONE, 1)
    assert notify(n, ZONE, source='127.0.0.9') == dns.rcode.REFUSED
    assert n.zone(ZONE)['account'] == 'mine'


def why(n, zone, address, *key):
    r = n.zonectl('--json', 'autoprimary', 'why', zone, address, *(('--key', *key) if key else ()), check=False)
    w = json.loads(r.stdout)
    assert (r.returncode == 0) == (w['verdict'] != 'refused'), r
    assert [s['passed'] for s in w['steps'][:-1]] == [True] * (len(w['steps']) - 1), w
    last = w['steps'][-1]
    return w['verdict'], [s['rule'] for s in w['steps']], last['what'], last['text']


def test_why(peer, node):
    """The dry run names the rule that refuses, and changes nothing; then what it says comes true."""
    p = peer('knot', zl.Key('bound.test'))
    other = zl.Key('other.test')
    n = trusting(node, p, suffixes='{"test"}', zones_max=1)
    n.options['keys'] = [other]
    for zone, ns in (('one.test', OURS), ('two.test', OURS), ('foreign.test', 'ns.foreign.test')):
        p.write(zone, zone_text(1, zone, ns))
    p.start()
    n.start()
    key = p.key.name
    for args, expected in ((('one.test', '192.0.2.9'), (['1', '2'], 'sender', 'comes from no autoprimary')),
                           (('one.test', '127.0.0.1'), (['1', '2', '3'], 'signature', 'not signed with its key')),
                           (('one.test', '127.0.0.1', other.name), (['1', '2', '3'], 'signature', 'with another key')),
                           (('x.example', '127.0.0.1', key), (['1', '2', '3', '4', '4'], 'suffix', 'of this suffix')),
                           (('absent.test', '127.0.0.1', key), (['1', '2', '3', '4', '4', '4.1'], 'question', 'REFUSED')),
                           (('foreign.test', '127.0.0.1', key), (['1', '2', '3', '4', '4', '4.1', '4.3'], 'nameserver', 'none of our'))):
        verdict, rules, what, text = why(n, *args)
        assert verdict == 'refused' and (rules, what) == expected[:2] and expected[2] in text, (args, rules, what, text)
    assert n.zonectl('autoprimary', 'why', 'one.test', '127.0.0.1', '--key', 'nobody.test', check=False).returncode == 1
    assert n.zonectl('autoprimary', 'why', 'one.test', 'nowhere', check=False).returncode == 1
    verdict, rules, what, text = why(n, 'one.test', '127.0.0.1', key)
    assert (verdict, rules, what) == ('provision', ['1', '2', '3', '4', '4', '4.1', '4.3', '4.4', '4.5'], 'zone') and 'knot' in text
    assert n.json('zone', 'list') == []
    assert notify(n, 'one.test', p.key) == dns.rcode.NOERROR
    n.wait_serial('one.test', 1)
    verdict, rules, what, text = why(n, 'two.test', '127.0.0.1', key)
    assert verdict == 'refused' and rules[-1] == '4.4' and 'zones-max' in text
    assert why(n, 'one.test', '127.0.0.1', key)[:3] == ('refresh', ['1', '4', '5'], 'primary')
    assert why(n, 'one.test', '127.0.0.1')[:3] == ('refused', ['1', '4', '5'], 'primary')
    assert 'none of the zone' in why(n, 'one.test', '192.0.2.9', key)[3]
    table = n.zonectl('autoprimary', 'why', 'one.test', '127.0.0.1', '--key', key).stdout
    assert table.endswith(f'A NOTIFY for one.test from 127.0.0.1, signed with {key} would have the zone refreshed.\n')
    p.stop()
    assert why(n, 'two.test', '127.0.0.1', key)[2] == 'question', 'nobody answers'


class Announcer(hostile.Primary):
    """A scripted primary that has our nameserver among the zone's NS records."""

    def answer_soa(self, data):
        q = self.parse(data)
        if q.question[0].rdtype != dns.rdatatype.NS:
            return super().answer_soa(data)
        r = dns.message.make_response(q)
        r.flags |= dns.flags.AA
        r.answer.append(hostile.rr('@', 300, 'IN', 'NS', OURS + '.'))
        return r.to_wire()


def test_provision_and_first_transfer_are_one_job(node):
    """Killed once the zone is there, but not its content: the next start fetches it, and nobody tells it to."""
    release = threading.Event()
    p = Announcer(zone_text(1, 'example.test'))
    try:
        n = trusting(node, p)
        n.start()
        p.script = lambda t: release.wait(60)  # the first transfer never ends
        assert notify(n, 'example.test') == dns.rcode.NOERROR
        zl.wait_for(lambda: p.transfers == 1, 'the first transfer')
        n.syncd.kill()
        release.set()
        p.script = None
        n.restart()
        n.wait_serial('example.test', 1)
        assert n.zone('example.test')['account'] == 'customer'
        assert n.syncd.text().count('a zone appears') == 1, 'it was not announced again'
        n.verify()
    finally:
        release.set()
        p.stop()
