"""Directories of zone files: each NAME.zone is a zone of our own, and what changes in it is passed on by IXFR."""
import os
import re
import signal
import subprocess

import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import dns.update
import pytest
import secondaries
import zl

ZONE = 'example.test'


class Zones:
    """A directory of zone files, filled as careful people do (rename) and as careless ones do (in place)."""

    def __init__(self, path):
        self.path = path
        self.path.mkdir(parents=True, exist_ok=True)

    def file(self, zone):
        return self.path / f'{zone}.zone'

    def put(self, zone, text):
        new = self.path / f'.{zone}.new'
        new.write_text(text)
        new.rename(self.file(zone))

    def section(self, items='', settle='100ms'):
        return f'directory "{self.path}" {{ settle = {settle} {items} }}\n'


@pytest.fixture
def zones(place):
    return Zones(place / 'zones')


def text(serial, zone=ZONE, **more):
    return zl.small_zone(serial, zone=zone, **more)


def minimal(serial, more=''):
    return f'$TTL 300\n@ SOA ns host {serial} 3600 600 86400 300\n@ NS ns\nns A 192.0.2.1\n{more}'


def reload(n):
    before = n.syncd.text().count('configuration reloaded')
    n.write_config()
    n.syncd.signal(signal.SIGHUP)
    zl.wait_for(lambda: n.syncd.text().count('configuration reloaded') > before, 'the reload')


def wait_log(n, words, what=None):
    zl.wait_for(lambda: words in n.syncd.text(), what or f'the log to say: {words}')


def wait_error(n, words, zone=ZONE):
    return zl.wait_for(lambda: words in n.zone(zone)['last_error'], f'the zone to show: {words}')


def wait_fine(n, zone=ZONE):
    zl.wait_for(lambda: n.zone(zone)['state'] == 'ok' and not n.zone(zone)['last_error'], 'the error to be gone')


def passed(n, zones):
    """Everything that was there before has been looked at: a file that came later is served."""
    passed.count = getattr(passed, 'count', 0) + 1
    marker = f'marker{passed.count}.test'
    zones.put(marker, minimal(1))
    zl.wait_for(lambda: n.serial(marker), f'{marker} to be served')


# ---------------------------------------------------------------- what it is for

@pytest.mark.parametrize('name', ['knot', 'bind9'])
def test_secondaries_follow_a_file_by_small_ixfrs(name, node, zones, place):
    """The operator edits a file; nothing else is needed for the world to know."""
    cls = secondaries.SECONDARIES[name]
    if cls.missing():
        pytest.skip(f'skipped: {cls.program} is not installed')
    n = node()
    s = cls(place / name, n)
    n.secondaries[name] = s
    n.options['extra'] = zones.section(f'secondaries = {{"{name}"}} account = "own"')
    many = ''.join(f'h{i} A 192.0.2.{i % 250}\n' for i in range(2000))
    zones.put(ZONE, text(1, extra=many))
    n.start()
    n.wait_serial(ZONE, 1)
    assert n.zone(ZONE)['account'] == 'own' and n.zone(ZONE)['file'] == str(zones.file(ZONE))
    s.start(ZONE)
    try:
        s.wait_serial(ZONE, 1)
        zones.put(ZONE, text(2, extra=many + 'new A 192.0.2.251\n'))
        s.wait_serial(ZONE, 2)
        assert zl.ask(s.port, f'new.{ZONE}', 'A').answer
        zl.wait_for(lambda: re.search(r'a zone is sent .*kind=ixfr .*from=1 .*', n.syncd.text()), 'an IXFR')
        sent = re.search(r'a zone is sent .*kind=ixfr.*', n.syncd.text()).group()
        assert int(re.search(r'records=(\d+)', sent).group(1)) < 10, sent
    finally:
        s.stop()
    newest = n.log(ZONE)[0]
    assert (newest['origin'], newest['transport'], newest['source']) == ('import', 'file', str(zones.file(ZONE)))
    assert (newest['added'], newest['removed']) == (3, 2), 'the serial, its TXT, and one new record'
    n.verify()


def test_a_thousand_files_at_once(node, zones):
    for i in range(1000):
        zones.put(f'z{i}.test', minimal(1, f'a A 192.0.2.{i % 250}\n'))
    n = node(level='info', extra=zones.section())
    n.start()
    zl.wait_for(lambda: n.status()['states']['ok'] == 1000, 'a thousand zones', timeout=60)
    for i in (0, 499, 999):
        assert n.ask(f'a.z{i}.test', 'A').answer[0][0].address == f'192.0.2.{i % 250}'
    for i in range(1000):
        zones.put(f'z{i}.test', minimal(2, f'a A 198.51.100.{i % 250}\n'))
    zl.wait_for(lambda: all(z['serial'] == 2 for z in n.json('zone', 'list')), 'a thousand changes', timeout=60, step=0.2)
    n.journaled()
    seq = n.status()['seq']

    n.kill()
    n.restart()
    passed(n, zones)
    assert n.status()['seq'] == seq + 1, 'a start changes nothing but what changed'
    assert n.status()['directories'] == [
        {'path': str(zones.path), 'error': '', 'watched': True, 'files': 1001, 'wrong': 0, 'errors': []}]
    n.verify()


# ---------------------------------------------------------------- when a file is read

def test_a_file_is_not_read_before_its_writer_is_done(node, zones):
    n = node(extra=zones.section())
    zones.put(ZONE, minimal(1))
    n.start()
    n.wait_serial(ZONE, 1)
    with open(zones.file(ZONE), 'w') as f:  # what is there by now would do as a zone
        f.write(minimal(2))
        f.flush()
        passed(n, zones)
        assert n.serial(ZONE) == 1
        n.syncd.signal(signal.SIGHUP)  # a look at everything doesn't read it either
        wait_log(n, 'configuration reloaded')
        passed(n, zones)
        assert n.serial(ZONE) == 1
        f.write('late A 192.0.2.77\n')
    n.wait_serial(ZONE, 2)
    assert n.ask(f'late.{ZONE}', 'A').answer
    assert [v['serial'] for v in n.log(ZONE)] == [2, 1]


def test_an_interval_finds_what_nobody_told_of(node, zones, place):
    """A link is made to a file, and the directory is another one behind the same name: no event tells of that."""
    other = Zones(place / 'other')
    other.put(ZONE, minimal(7))
    link = place / 'current'
    link.symlink_to(zones.path)
    n = node(extra=f'directory "{link}" {{ settle = 50ms interval = 1s }}')
    zones.put(ZONE, minimal(1))
    n.start()
    n.wait_serial(ZONE, 1)
    source = place / 'made-elsewhere'
    source.write_text(minimal(3))
    os.link(source, zones.file('linked.test'))
    n.wait_serial('linked.test', 3)

    new = place / 'new'
    new.symlink_to(other.path)
    new.rename(link)
    n.wait_serial(ZONE, 7)
    other.put(ZONE, minimal(8))
    n.wait_serial(ZONE, 8)


def test_what_is_no_zone_file_is_left_alone(node, zones, place):
    n = node(extra=zones.section())
    target = place / 'target.zone'
    target.write_text(minimal(1))
    zones.file('linked.test').symlink_to(target)
    zones.file('folder.test').mkdir()
    os.mkfifo(zones.file('pipe.test'))
    for name in ('.a.test.zone.swp', 'a.test.zone~', '#a.test.zone#', '.#a.test.zone', 'a.test.zone.bak', 'README', '.zone'):
        (zones.path / name).write_text(minimal(1))
    n.start()
    passed(n, zones)
    assert [z['name'][:6] for z in n.json('zone', 'list')] == ['marker']
    assert n.status()['directories'][0]['wrong'] == 0
    # a link that takes a zone's place takes the zone away from nobody
    zones.put(ZONE, minimal(1))
    n.wait_serial(ZONE, 1)
    zones.file(ZONE).unlink()
    zones.file(ZONE).symlink_to(target)
    wait_error(n, 'the file is not there any more')
    assert n.serial(ZONE) == 1


# ---------------------------------------------------------------- errors

def test_an_error_names_file_and_line_and_the_old_version_stays(node, zones):
    n = node(extra=zones.section())
    zones.put(ZONE, minimal(1))
    zones.put('broken.test', minimal(1, 'www A 192.0.2.999\n'))
    n.start()
    n.wait_serial(ZONE, 1)
    place = f'{zones.file("broken.test")}:5:'
    wait_log(n, place)
    status = n.status()['directories'][0]
    assert status['wrong'] == 1 and status['errors'][0]['error'].startswith(place)
    assert place in n.zonectl('status').stdout

    for bad, words in [(minimal(2, '@ CNAME other\n'), 'CNAME'),
                       (minimal(2, 'www A 192.0.2.256\n'), f'{zones.file(ZONE)}:5:'),
                       (minimal(2, 'elsewhere.example. A 192.0.2.1\n'), f'{zones.file(ZONE)}:5:'),
                       ('', 'SOA'),
                       ('@ 300 SOA ns host 2 3600 600 86400 300\n', 'NS')]:
        zones.put(ZONE, bad)
        wait_error(n, words)
        assert n.serial(ZONE) == 1 and n.zone(ZONE)['state'] == 'failing'
        assert words in n.zonectl('zone', 'show', ZONE).stdout and ZONE in n.zonectl('status').stdout
    zones.put('broken.test', minimal(1))
    zones.put(ZONE, minimal(2))
    n.wait_serial('broken.test', 1)
    n.wait_serial(ZONE, 2)
    wait_fine(n)
    zl.wait_for(lambda: n.status()['directories'][0]['wrong'] == 0, 'no errors any more')
    n.verify()


def test_an_error_outlives_a_restart_and_is_gone_when_the_file_is_right(node, zones):
    n = node(extra=zones.section())
    zones.put(ZONE, minimal(1))
    n.start()
    n.wait_serial(ZONE, 1)
    zones.put(ZONE, minimal(2, 'bad\n'))
    wait_error(n, ':5:')
    n.kill()
    zones.put(ZONE, minimal(1))  # as it was: no new version, but no error either
    n.restart()
    wait_fine(n)
    assert [v['serial'] for v in n.log(ZONE)] == [1]


def test_names_that_are_no_zones_and_two_files_of_one_zone(node, zones):
    n = node(extra=zones.section())
    (zones.path / 'a..b.zone').write_text(minimal(1))
    zones.put('ns/0.192.in-addr.arpa'.replace('/', '\\047'), minimal(1))  # RFC 2317
    zones.put(ZONE, minimal(1))
    n.start()
    n.wait_serial(ZONE, 1)
    zl.wait_for(lambda: n.serial('ns/0.192.in-addr.arpa') == 1, 'a name with a slash')
    (zones.path / 'EXAMPLE.test.zone').write_text(minimal(5))
    wait_log(n, 'a zone file is not taken')
    zl.wait_for(lambda: n.status()['directories'][0]['wrong'] == 2, 'both to be told of')
    errors = {e['file'].rpartition('/')[2]: e['error'] for e in n.status()['directories'][0]['errors']}
    assert 'empty label' in errors['a..b.zone'] and f'read from {zones.file(ZONE)}' in errors['EXAMPLE.test.zone']
    assert n.serial(ZONE) == 1
    zones.file(ZONE).unlink()  # now it is the other one's turn
    n.wait_serial(ZONE, 5)
    assert n.zone(ZONE)['file'].endswith('/EXAMPLE.test.zone')


def test_includes_stay_below_the_directory(node, zones, place):
    secret = place / 'secret'
    secret.write_text('c2VjcmV0LXdvcmQ=\n')
    inside = zones.path / 'common'
    inside.mkdir()
    (inside / 'ns').write_text('@ NS ns\nns A 192.0.2.1\n')
    (zones.path / 'hosts.inc').write_text('www A 192.0.2.80\n')
    n = node(extra=zones.section())
    soa = '$TTL 300\n@ SOA ns host {} 3600 600 86400 300\n'
    zones.put(ZONE, soa.format(1) + '$INCLUDE common/ns\n$INCLUDE hosts.inc\n')
    n.start()
    n.wait_serial(ZONE, 1)
    assert n.ask(f'www.{ZONE}', 'A').answer

    for what in (secret, '../secret', 'link', '/etc/passwd'):
        if what == 'link':
            (zones.path / 'link').symlink_to(secret)
        zones.put(ZONE, soa.format(2) + f'$INCLUDE common/ns\n$INCLUDE {what}\n')
        wait_error(n, f'{zones.file(ZONE)}:4:')
        zl.wait_for(lambda: 'outside' in n.zone(ZONE)['last_error'], 'the reason')
    zones.put(ZONE, soa.format(2) + f'$INCLUDE {ZONE}.zone\n')
    wait_error(n, 'includes itself')
    assert 'c2VjcmV0' not in n.syncd.text() and n.serial(ZONE) == 1

    # An included file changes: who includes it is read again, and its serial is missed.
    zones.put(ZONE, soa.format(2) + '$INCLUDE common/ns\n$INCLUDE hosts.inc\n')
    n.wait_serial(ZONE, 2)
    (zones.path / 'hosts.inc').write_text('www A 192.0.2.81\n')
    wait_error(n, 'is not newer than ours')
    n.options['extra'] = zones.section('serial = increment')
    reload(n)
    n.wait_serial(ZONE, 3)
    assert n.ask(f'www.{ZONE}', 'A').answer[0][0].address == '192.0.2.81'


# ---------------------------------------------------------------- serials

def test_keep_wants_a_serial_that_is_newer(node, zones):
    n = node(extra=zones.section('serial = keep'))
    zones.put(ZONE, minimal(10))
    n.start()
    n.wait_serial(ZONE, 10)
    zones.put(ZONE, '; a comment, and another order\n$TTL 300\nns A 192.0.2.1\n@ NS ns\n@ SOA ns host 10 3600 600 86400 300\n')
    passed(n, zones)
    assert len(n.log(ZONE)) == 1, 'nothing but order and comments: no new version'
    for serial in (10, 9):
        zones.put(ZONE, minimal(serial, 'www A 192.0.2.2\n'))
        wait_error(n, f'its serial {serial} is not newer than ours, 10')
        assert str(zones.file(ZONE)) in n.zone(ZONE)['last_error']
        assert not n.ask(f'www.{ZONE}', 'A').answer
    zones.put(ZONE, minimal(11, 'www A 192.0.2.2\n'))
    n.wait_serial(ZONE, 11)
    wait_fine(n)
    zones.put(ZONE, minimal(12, 'www A 192.0.2.2\n'))  # the serial alone
    n.wait_serial(ZONE, 12)


@pytest.mark.parametrize('policy', ['increment', 'date'])
def test_ours_goes_ahead_if_the_file_says_so(policy, node, zones):
    n = node(extra=zones.section(f'serial = {policy}'))
    zones.put(ZONE, minimal(10))
    n.start()
    zl.wait_for(lambda: n.serial(ZONE), 'the zone')
    first = n.serial(ZONE)
    if policy == 'date':
        assert re.fullmatch(r'20\d{6}00', str(first))
    else:
        assert first == 10
    for i, serial in enumerate((10, 3)):
        zones.put(ZONE, minimal(serial, f'www A 192.0.2.{i}\n'))
        n.wait_serial(ZONE, first + 1 + i)
    zones.put(ZONE, minimal(4, 'www A 192.0.2.1\n'))
    passed(n, zones)
    assert n.serial(ZONE) == first + 2, 'the same content'
    zones.put(ZONE, minimal(4000000000, 'www A 192.0.2.9\n'))
    newer = first + 100  # a file that is ahead of us
    zones.put(ZONE, minimal(newer, 'www A 192.0.2.9\n'))
    n.wait_serial(ZONE, newer)
    n.verify()


# ---------------------------------------------------------------- files that vanish

def test_a_zone_stays_when_its_file_vanishes(node, zones):
    n = node(extra=zones.section())
    zones.put(ZONE, minimal(1))
    n.start()
    n.wait_serial(ZONE, 1)
    zones.file(ZONE).unlink()
    wait_error(n, 'the file is not there any more')
    wait_log(n, 'a zone file vanished, its zone stays as it is')
    assert n.serial(ZONE) == 1
    n.kill()
    n.restart()
    zl.wait_for(lambda: n.status()['directories'][0]['wrong'] == 1, 'it to be missed again')
    zones.put(ZONE, minimal(1))
    wait_fine(n)
    assert len(n.log(ZONE)) == 1
    # For good: the file, then the zone.
    r = n.zonectl('zone', 'remove', ZONE, check=False)
    assert r.returncode == 1 and f'read from {zones.file(ZONE)}: delete that file first' in r.stderr
    zones.file(ZONE).unlink()
    wait_error(n, 'the file is not there any more')
    n.zonectl('zone', 'remove', ZONE)
    reload(n)
    zl.wait_for(lambda: n.status()['directories'][0]['wrong'] == 0, 'nothing to be missed')
    assert n.zone(ZONE)['state'] == 'removed'
    n.verify()


def test_a_zone_goes_with_its_file_and_its_history_stays(node, zones):
    n = node(extra=zones.section('remove = yes'))
    for z in (ZONE, 'other.test'):
        zones.put(z, minimal(5))
    n.start()
    n.wait_serial(ZONE, 5)
    n.wait_serial('other.test', 5)
    zones.file(ZONE).unlink()
    zl.wait_for(lambda: n.serial(ZONE) is None, 'the zone to go')
    assert n.zone(ZONE)['state'] == 'removed'
    log = n.log(ZONE)
    assert [v['origin'] for v in log] == ['remove', 'import'] and log[0]['reason'] == 'its zone file vanished'
    assert 'ns.example.test.' in n.dump(ZONE, 'v1')

    zones.put(ZONE, minimal(5))  # back as it was
    n.wait_serial(ZONE, 5)
    n.kill()
    zones.file(ZONE).unlink()  # while nobody looks
    n.restart()
    zl.wait_for(lambda: n.zone(ZONE)['state'] == 'removed', 'it to be missed at the start')
    zones.put(ZONE, minimal(6, 'new A 192.0.2.6\n'))
    n.wait_serial(ZONE, 6)
    n.verify()


def test_a_directory_that_is_empty_all_at_once_removes_nothing(node, zones, place):
    n = node(extra=zones.section('remove = yes', settle='2s'))
    names = [f'z{i}.test' for i in range(5)]
    for z in names:
        zones.put(z, minimal(1))
    n.start()
    for z in names:
        n.wait_serial(z, 1)
    away = place / 'away'
    zones.path.rename(away)
    wait_log(n, 'a directory of zone files cannot be read')
    assert n.status()['directories'][0]['error']
    away.rename(zones.path)
    reload(n)
    zl.wait_for(lambda: not n.status()['directories'][0]['error'], 'the directory to be read again')
    away.mkdir()
    for z in names:
        zones.file(z).rename(away / z)
    for z in names:
        wait_error(n, 'is the directory mounted?', z)
    assert n.status()['states']['removed'] == 0
    for z in names:
        assert n.serial(z) == 1
        (away / z).rename(zones.file(z))
    for z in names:
        wait_fine(n, z)
    n.verify()


# ---------------------------------------------------------------- whose zone it is

def test_a_zone_of_somebody_else_is_never_taken(node, zones, peer, place):
    p = peer('knot')
    p.load('from-primary.test', text(3, zone='from-primary.test'))
    p.start()
    n = node(keys=[zl.Key('upd.test')], extra=zones.section()
             + 'update-policy "u" { from = {"127.0.0.1"} }\nzone "dynamic.test" { update = {"u"} }\n')
    n.secondary_of('from-primary.test', p)
    for z in ('from-primary.test', 'dynamic.test'):
        zones.put(z, minimal(99))
    n.start()
    n.wait_serial('from-primary.test', 3)
    zl.wait_for(lambda: n.status()['directories'][0]['wrong'] == 2, 'both to be refused')
    errors = '\n'.join(e['error'] for e in n.status()['directories'][0]['errors'])
    assert 'the configuration has primaries for the zone (line' in errors
    assert 'the configuration lets UPDATE change the zone, so that a file may not (line' in errors
    assert n.serial('from-primary.test') == 3 and n.serial('dynamic.test') is None
    assert not n.zone('from-primary.test')['last_error'], 'its own state is not touched'

    # taken out of the configuration, they are the files'
    del n.zones['from-primary.test']
    n.options['extra'] = zones.section()
    reload(n)
    n.wait_serial('from-primary.test', 99)
    n.wait_serial('dynamic.test', 99)
    n.verify()


def test_a_zone_that_came_by_itself_is_never_taken(node, zones, place):
    """From an autoprimary, from a catalog, or a catalog that we make: the file is refused by name, and nothing else changes."""
    first = node('first', extra='producer "members.test" { transfer-from = {"127.0.0.1"} }')
    for z in ('member.test', 'announced.test'):
        first.zones[z] = []
        first.zone_options[z] = {'transfer_from': '{"127.0.0.1"}'}
    first.zone_options['member.test']['catalog'] = '"members.test"'
    first.start()
    for z in ('member.test', 'announced.test'):
        (place / 'text').write_text(text(3, zone=z))
        first.zonectl('import', z, place / 'text')
    zl.wait_for(lambda: 'member.test.' in first.zonectl('show', 'members.test', check=False).stdout, 'the catalog to list its member')
    n = node('second', extra=zones.section() + 'producer "made.test" { } catalog "members.test" { primaries = {"first"} } '
             'autoprimary "customer" { primaries = {"first"} nameservers = {"ns.announced.test", "ns1.announced.test"} }')
    n.primaries['first'] = (f'127.0.0.1@{first.port}', None)
    n.start()
    n.wait_serial('member.test', 3)
    m = dns.message.make_query('announced.test', 'SOA')
    m.set_opcode(dns.opcode.NOTIFY)
    dns.query.udp(m, '127.0.0.1', port=n.port, timeout=10, source='127.0.0.1')
    n.wait_serial('announced.test', 3)

    taken = {'member.test': 'the zone comes from the catalog members.test', 'announced.test': "the zone came from autoprimary 'customer'",
             'made.test': 'the zone is a catalog that we make', 'members.test': None}
    for z in taken:
        zones.put(z, minimal(99))
    zl.wait_for(lambda: n.status()['directories'][0]['wrong'] == len(taken), 'all to be refused')
    errors = '\n'.join(e['error'] for e in n.status()['directories'][0]['errors'])
    for z, why in taken.items():
        assert (why or f'{z}.zone') in errors, errors
    assert n.serial('member.test') == n.serial('announced.test') == 3
    assert not n.zone('member.test')['last_error'], 'its own state is not touched'
    n.verify()


def test_a_zone_is_changed_by_its_file_or_by_update_but_not_by_both(node, zones):
    policy = 'update-policy "u" { from = {"127.0.0.1"} }\n'
    own = f'zone "{ZONE}" {{ update = {{"u"}} }}\n'
    n = node(extra=zones.section() + policy)
    zones.put(ZONE, minimal(1))
    n.start()
    n.wait_serial(ZONE, 1)

    def update(name):
        u = dns.update.UpdateMessage(ZONE)
        u.add(name, 60, 'A', '192.0.2.9')
        return dns.query.tcp(u, '127.0.0.1', port=n.port, timeout=10).rcode()
    assert update('a') == dns.rcode.REFUSED

    n.options['extra'] += own  # from now on it is UPDATE's
    reload(n)
    wait_error(n, 'lets UPDATE change the zone, so that a file may not')
    assert update('a') == dns.rcode.NOERROR
    n.wait_serial(ZONE, 2)
    zones.put(ZONE, minimal(3))
    passed(n, zones)
    assert n.serial(ZONE) == 2

    n.options['extra'] = zones.section() + policy  # and the file's again, which is newer
    reload(n)
    n.wait_serial(ZONE, 3)
    wait_fine(n)
    assert update('b') == dns.rcode.REFUSED and not n.ask(f'a.{ZONE}', 'A').answer
    n.verify()


def test_its_zones_are_listed_in_a_catalog_of_ours(node, zones):
    n = node(extra='producer "cat.test" { transfer-from = {"127.0.0.1"} }\n'
             + zones.section('catalog = "cat.test" catalog-group = "files" remove = yes'))
    for z in (ZONE, 'other.test'):
        zones.put(z, minimal(1))
    n.start()

    def members():
        return sorted(r[3] for r in zl.transfer(n.port, 'cat.test') if r[2] == dns.rdatatype.PTR)
    want = sorted(dns.name.from_text(z).to_digestable() for z in (ZONE, 'other.test'))
    zl.wait_for(lambda: members() == want, 'both to be listed')
    zones.file(ZONE).unlink()
    zl.wait_for(lambda: members() == want[1:] or members() == want[:1], 'the one without a file to be gone')


def test_an_imported_zone_goes_over_to_its_file_and_back(node, zones, place):
    n = node(extra=zones.section())
    n.start()
    f = place / 'own'
    f.write_text(minimal(1))
    n.zonectl('import', ZONE, f)
    zones.put(ZONE, minimal(1))
    zl.wait_for(lambda: n.zone(ZONE)['file'], 'the file to have it')
    assert len(n.log(ZONE)) == 1, 'the same content is no new version'
    f.write_text(minimal(2, 'x A 192.0.2.1\n'))
    r = n.zonectl('import', ZONE, f, check=False)
    assert r.returncode == 1 and f'read from {zones.file(ZONE)}: change that file' in r.stderr

    zones.put(ZONE, minimal(2, 'bad\n'))
    wait_error(n, ':5:')
    n.options['extra'] = ''
    reload(n)
    wait_log(n, 'a directory of zone files is not configured any more')
    wait_fine(n)
    assert n.serial(ZONE) == 1
    n.zonectl('import', ZONE, f)
    n.wait_serial(ZONE, 2)
    assert n.zone(ZONE)['file'] is None
    n.verify()


def test_a_rollback_stays_until_the_file_changes(node, zones):
    n = node(extra=zones.section())
    for i in (1, 2, 3):
        zones.put(ZONE, minimal(i, f'www A 192.0.2.{i}\n'))
        n.start() if i == 1 else None
        n.wait_serial(ZONE, i)
    n.zonectl('rollback', ZONE, '--to', 'v2', '--reason', 'bad news')
    n.wait_serial(ZONE, 4)
    for _ in range(2):
        n.syncd.signal(signal.SIGHUP)
        passed(n, zones)
        assert n.serial(ZONE) == 4 and n.ask(f'www.{ZONE}', 'A').answer[0][0].address == '192.0.2.2'
        n.journaled()
        n.kill()
        n.restart()
    passed(n, zones)
    assert n.serial(ZONE) == 4 and n.zone(ZONE)['state'] == 'ok'
    zones.put(ZONE, minimal(4, 'www A 192.0.2.4\n'))
    wait_error(n, 'its serial 4 is not newer than ours, 4')
    zones.put(ZONE, minimal(5, 'www A 192.0.2.4\n'))
    n.wait_serial(ZONE, 5)
    wait_fine(n)
    n.verify()


# ---------------------------------------------------------------- stops at any instant

def test_kill_9_while_files_change(node, zones):
    """Whatever is cut off, a start makes of it what the files say: no version twice, none lost."""
    n = node(level='info', extra=zones.section('remove = yes', settle='10ms'))
    names = [f'k{i}.test' for i in range(20)]
    n.start()
    for turn in range(1, 7):
        for z in names:
            zones.put(z, minimal(turn, f'turn TXT "{turn}"\n'))
            if z == names[turn * 3]:
                zl.wait_for(lambda: any(x['serial'] == turn for x in n.json('zone', 'list')), 'some to be taken')
                n.kill()
        n.restart()
        for z in names:
            n.wait_serial(z, turn)
    n.kill()
    zones.file(names[0]).unlink()
    n.restart()
    zl.wait_for(lambda: n.zone(names[0])['state'] == 'removed', 'the one without a file to go')
    for z in names[1:]:
        serials = [v['serial'] for v in n.log(z)]
        assert serials[0] == 6 and serials == sorted(set(serials), reverse=True)
        assert zl.records(n.dump(z), z) == zl.records(zones.file(z).read_text(), z)
    n.verify()
    n.fsck()


# ---------------------------------------------------------------- configuration

def test_mistakes_in_the_configuration_are_named(node, zones):
    n = node()
    for extra, words in [('directory "zones" { }', 'its name is the path from the root on'),
                         (zones.section('serial = later'), 'serial should be keep, increment or date'),
                         (zones.section('remove = perhaps'), 'should be yes or no'),
                         (zones.section('secondaries = {"x"}'), "there is no secondary 'x'")]:
        n.options['extra'] = extra
        n.write_config()
        r = subprocess.run([zl.BIN / 'syncd', '--check-config', '-c', n.conf], capture_output=True, text=True)
        assert r.returncode != 0 and words in r.stderr and 'zl.conf:' in r.stderr, (extra, r.stderr)


def test_a_directory_that_comes_later_needs_a_restart_of_the_cage(node, zones):
    """It is named in a reload, but the sandbox is as it was at the start: the error says so."""
    n = node()
    n.start()
    zones.put(ZONE, minimal(1))
    n.options['extra'] = zones.section()
    reload(n)

    zl.wait_for(lambda: n.serial(ZONE) == 1 or 'the sandbox does not reach' in n.status()['directories'][0]['error'],
                'the zone, where there is no Landlock, or the reason')
    n.kill()
    n.restart()
    n.wait_serial(ZONE, 1)
