"""What an operator sees at a glance: the worst first, each primary, and numbers for the alarm system."""
import dns.exception
import dns.query
import dns.rcode
import pytest
import zl

ZONE = 'example.test'


def two(peer, node, **options):
    a, b = peer('knot'), peer('bind9')
    for p in (a, b):
        p.write(ZONE, zl.small_zone(1))
        p.start()
    n = node(**options).secondary_of(ZONE, a, b)
    return a, b, n


def primary(n, name):
    return next(p for p in n.json('primary', 'list') if p['name'] == name)


def numbers(n):
    return {k: float(v) for k, v in (line.rsplit(' ', 1) for line in n.zonectl('metrics').stdout.splitlines() if line[0] != '#')}


def test_a_dead_primary_is_seen_while_the_other_works(peer, node):
    a, b, n = two(peer, node)
    n.start()
    n.wait_serial(ZONE, 1)
    assert primary(n, 'knot')['state'] == 'ok' and primary(n, 'knot')['transfers'] == 1
    a.stop()
    b.load(ZONE, zl.small_zone(2))
    n.zonectl('refresh', ZONE)
    n.wait_serial(ZONE, 2)
    p = zl.wait_for(lambda: primary(n, 'knot')['state'] == 'failing' and primary(n, 'knot'), 'the dead primary to be seen')
    assert p['failing_since'] and p['last_error'] and p['zones'] == 1
    assert primary(n, 'bind9')['state'] == 'ok'
    m = numbers(n)
    assert m['zoneledger_primary_failing{primary="knot"}'] == 1 and m['zoneledger_primary_failing{primary="bind9"}'] == 0
    assert sum(v for k, v in m.items() if k.startswith('zoneledger_transfers_in_total')) >= 2
    assert m['zoneledger_transfers_in_octets_total'] > 0 and m['zoneledger_zones{state="all"}'] == 1
    assert n.zone(ZONE)['state'] == 'ok', 'the zone itself is well'
    table = n.zonectl('primary', 'list').stdout
    assert 'failing' in table and 'bind9' in table
    a.start()
    zl.wait_for(lambda: n.zonectl('refresh', ZONE) and primary(n, 'knot')['state'] == 'ok', 'it to be asked again', step=0.5)


def test_numbers_outlive_a_reload(peer, node):
    a, b, n = two(peer, node)
    n.start()
    n.wait_serial(ZONE, 1)
    before = primary(n, 'knot')['transfers']
    n.syncd.signal(1)
    zl.wait_for(lambda: 'configuration reloaded' in n.syncd.text(), 'the reload')
    assert primary(n, 'knot')['transfers'] >= before > 0


def test_the_worst_comes_first(peer, node):
    p = peer('knot')
    for zone, expire in (('well.test', 86400), ('gone.test', 4), ('late.test', 86400)):
        p.write(zone, zl.small_zone(1, zone=zone, refresh=1, retry=1, expire=expire))
    p.start()
    n = node()
    for zone in ('well.test', 'late.test', 'gone.test', 'never.test'):
        n.secondary_of(zone, p)
    n.start()
    for zone in ('well.test', 'late.test', 'gone.test'):
        n.wait_serial(zone, 1)
    p.stop()
    zl.wait_for(lambda: n.ask('gone.test', 'SOA').rcode() == dns.rcode.SERVFAIL, 'a zone to expire', timeout=40)
    s = zl.wait_for(lambda: n.status()['states']['failing'] >= 2 and n.status(), 'the others to fail')
    names = [z['name'] for z in s['attention']]
    assert names[0] == 'gone.test.' and set(names) == {'gone.test.', 'well.test.', 'late.test.', 'never.test.'}, names
    assert s['states']['expired'] == 1 and s['attention'][0]['state'] == 'expired' and s['attention'][0]['last_error']
    assert all(z['next_check'] for z in s['attention'])
    m = numbers(n)
    assert m['zoneledger_zones{state="expired"}'] == 1 and m['zoneledger_zones{state="failing"}'] >= 2


def test_near_the_end_it_is_said(peer, node):
    p = peer('knot')
    p.write(ZONE, zl.small_zone(1, refresh=1, retry=1, expire=12))
    p.start()
    n = node().secondary_of(ZONE, p).start()
    n.wait_serial(ZONE, 1)
    p.stop()
    zl.wait_for(lambda: n.zone(ZONE)['state'] == 'expiring', 'the end to be near', timeout=30)
    assert 'expiring' in n.zonectl('status').stdout


def test_a_zone_that_lags(peer, node):
    """The primary says that it has a newer version, and gives none."""
    p = peer('knot')
    p.write(ZONE, zl.small_zone(1))
    p.start()
    n = node().secondary_of(ZONE, p).start()
    n.wait_serial(ZONE, 1)
    p.stop()
    conf = p.path / 'knot.conf'
    p.write(ZONE, zl.small_zone(9))
    p.configure()
    conf.write_text(conf.read_text().replace('    action: transfer\n', '    action: notify\n'))  # answers, but gives nothing
    p.process.start()
    zl.wait_for(lambda: zl.serial(p.port, ZONE) == 9, 'knot to have it')
    n.zonectl('refresh', ZONE)
    zl.wait_for(lambda: numbers(n)['zoneledger_zones{state="lagging"}'] == 1, 'the lag to be seen')
    m = numbers(n)
    assert m['zoneledger_serial_lag'] == 8
    zl.wait_for(lambda: n.zone(ZONE)['primary_serial'] == 9, 'it to be stored')
    assert n.serial(ZONE) == 1 and n.zone(ZONE)['state'] in ('lagging', 'failing')


def test_what_goes_out_is_counted(node, place):
    """A zone of our own, and a second node that follows it; a stranger is refused."""
    first, second = node('first', key=zl.Key('two-tier.test')), node('second')
    first.primary_of(ZONE, second)
    second.key = first.key
    second.secondary_of(ZONE, first, **{'refresh-min': '1h', 'retry-min': '1h'})
    first.start()
    f = place / 'import.zone'
    f.write_text(zl.small_zone(1))
    first.zonectl('import', ZONE, f)
    second.start()
    second.wait_serial(ZONE, 1)
    f.write_text(zl.small_zone(2))
    first.zonectl('import', ZONE, f)
    second.wait_serial(ZONE, 2)
    m = zl.wait_for(lambda: (m := numbers(first)) and m['zoneledger_notifies_out_total{outcome="acknowledged"}'] >= 1 and m['zoneledger_notifies_out_waiting'] == 0 and m, 'the NOTIFY to be acknowledged')
    assert m['zoneledger_notifies_out_sent_total'] >= m['zoneledger_notifies_out_total{outcome="acknowledged"}']
    assert m['zoneledger_transfers_out_total{kind="axfr",outcome="sent"}'] == 1
    assert m['zoneledger_transfers_out_total{kind="ixfr",outcome="sent"}'] == 1
    assert m['zoneledger_transfers_out_octets_total'] > 0 and m['zoneledger_transfers_out_fallbacks_total'] == 0
    refused = 'zoneledger_transfers_out_total{kind="any",outcome="refused"}'
    assert m[refused] == 0
    ours = numbers(second)
    assert ours['zoneledger_transfers_in_total{kind="ixfr",outcome="new version"}'] == 1
    assert {f'zoneledger_queued{{work="{w}",lane="{x}"}}' for w in ('probe', 'transfer') for x in ('urgent', 'first', 'routine')} <= set(ours)
    with pytest.raises(dns.exception.DNSException):
        list(dns.query.xfr('127.0.0.1', ZONE, port=first.port, lifetime=10))
    assert numbers(first)[refused] == 1


def test_what_comes_next_for_a_zone_is_said_in_words(peer, node):
    p = peer('knot')
    p.write(ZONE, zl.small_zone(1, refresh=3600, retry=1800))
    p.start()
    n = node(syncd='probe-timeout = 100ms').secondary_of(ZONE, p)
    n.start()
    n.wait_serial(ZONE, 1)
    where = f'knot, 127.0.0.1@{p.port} in '
    said = zl.wait_for(lambda: n.zone(ZONE)['next'].startswith('SOA query to ' + where) and n.zone(ZONE)['next'], 'the next look to be announced')
    assert said.endswith(' s') and ' min ' in said
    shown = n.zonectl('status', ZONE).stdout
    assert 'SOA query to ' + where in shown and 'example.test.' in shown and 'state' in shown
    p.stop()
    n.zonectl('retransfer', ZONE)
    zl.wait_for(lambda: n.zone(ZONE)['failures'] == 1 and n.zone(ZONE)['next'].startswith('SOA query to ' + where), 'the try after that to be announced')
    n.zonectl('import', 'own.test', '-', stdin=zl.small_zone(1, zone='own.test'))
    assert n.zone('own.test')['next'] is None
    assert n.zonectl('status', 'absent.test', check=False).returncode == 1


def test_each_zone_has_numbers_of_its_own_for_who_asks(peer, node):
    p = peer('knot')
    p.write(ZONE, zl.small_zone(1))
    p.start()
    n = node().secondary_of(ZONE, p)
    n.start()
    n.wait_serial(ZONE, 1)
    n.zonectl('import', r'od\"d.test', '-', stdin=zl.small_zone(7, zone='x').replace('$ORIGIN x.', ''))
    assert not [k for k in numbers(n) if k.startswith('zoneledger_zone_')]
    text = n.zonectl('metrics', '--zones').stdout
    m = {k: float(v) for k, v in (line.rsplit(' ', 1) for line in text.splitlines() if line[0] != '#')}
    name = '{zone="example.test."}'
    assert m['zoneledger_zone_serial' + name] == 1 and m['zoneledger_zone_serial_lag' + name] == 0
    assert m['zoneledger_zone_records' + name] > 3 and m['zoneledger_zone_failures' + name] == 0
    assert m['zoneledger_zone_expires_timestamp_seconds' + name] > m['zoneledger_zone_last_success_timestamp_seconds' + name] > 1.7e9
    assert m['zoneledger_zone_state{zone="example.test.",state="ok"}'] == 1
    seen, before = set(), None
    for line in text.splitlines():  # the samples of a metric stand together, as Prometheus wants it
        metric = line.split()[2] if line[0] == '#' else line.split('{')[0].split(' ')[0]
        base = metric.removesuffix('_bucket').removesuffix('_sum').removesuffix('_count')
        if base != before:
            assert base not in seen, line
            seen.add(base)
            before = base


def test_a_kill_does_not_bring_back_an_old_serial_of_the_primary(peer, node):
    """What a new version says of its primary is stored with it."""
    p = peer('knot')
    n = node().secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h'})
    p.write(ZONE, zl.small_zone(1))
    p.start()
    n.start()
    n.wait_serial(ZONE, 1)
    p.load(ZONE, zl.small_zone(2))
    n.zonectl('refresh', ZONE)
    n.wait_serial(ZONE, 2)
    n.syncd.kill()
    n.restart()
    assert n.zone(ZONE)['primary_serial'] == 2
