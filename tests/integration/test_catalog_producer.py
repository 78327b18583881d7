"""Catalog zones that we make (RFC 9432): whoever follows one serves what we serve, and nobody else may read it."""
import os
import pathlib
import subprocess

import catalogs
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.update
import dns.xfr
import dns.zone
import pytest
import zl
from consumers import CONSUMERS

BUILD = pathlib.Path(os.environ.get('ZL_BUILD', zl.BIN.parent))
CATALOG = 'catalog.invalid'
ZONES = ('one.test', 'two.test', 'three.test')


def text(zone, serial=1):
    return (f'$ORIGIN {zone}.\n$TTL 300\n@ SOA ns hostmaster {serial} 3600 600 86400 300\n@ NS ns\nns A 192.0.2.1\n'
            f'www A 192.0.2.80\n')


def own(n, place, *zones):
    for zone in zones:
        (place / 'zone.text').write_text(text(zone))
        n.zonectl('import', zone, place / 'zone.text')


def listed(n, *zones, catalog=CATALOG, group=None):
    """Sections of zones of our own that the catalog lists."""
    for zone in zones:
        n.zones.setdefault(zone, [])
        options = n.zone_options.setdefault(zone, {})
        options['catalog'] = f'"{catalog}"'
        options.pop('catalog-group', None)
        if group:
            options['catalog-group'] = f'"{group}"'


def unlisted(n, *zones):
    """A zone of our own needs no section, so it has none then."""
    for zone in zones:
        del n.zones[zone], n.zone_options[zone]


def producer(n, *catalogs, items='transfer-from = {"127.0.0.0/8"}'):
    n.options['extra'] = '\n'.join(f'producer "{c}" {{ {items} }}' for c in catalogs or (CATALOG,))
    return n


def reload(n):
    lines = n.syncd.text().count('configuration reloaded')
    n.write_config()
    n.syncd.signal(1)
    zl.wait_for(lambda: n.syncd.text().count('configuration reloaded') > lines, 'the configuration to be reloaded: ' + n.syncd.text()[-500:])


def content(n, catalog=CATALOG):
    """{zone: (label, group or None, coo or None)}, after a look at what every catalog must have."""
    z = dns.zone.Zone(catalog, relativize=False)
    dns.query.inbound_xfr('127.0.0.1', z, port=n.port, timeout=10)
    origin = dns.name.from_text(catalog)
    soa = z.get_rdataset(origin, 'SOA')
    assert (soa.ttl, str(soa[0].mname), str(soa[0].rname)) == (0, 'invalid.', 'invalid.')
    assert [str(x) for x in z.get_rdataset(origin, 'NS')] == ['invalid.']
    assert [str(x) for x in z.get_rdataset(dns.name.from_text('version', origin), 'TXT')] == ['"2"']
    zones = dns.name.from_text('zones', origin)
    members = {}
    for name, rdataset in z.iterate_rdatasets():
        assert rdataset.ttl == 0 and len(rdataset) == 1
        if name.is_subdomain(zones) and len(name) == len(zones) + 1:
            assert rdataset.rdtype == dns.rdatatype.PTR
            group = z.get_rdataset(dns.name.from_text('group', name), 'TXT')
            coo = z.get_rdataset(dns.name.from_text('coo', name), 'PTR')
            members[str(rdataset[0].target)[:-1]] = (name.labels[0].decode(), group and group[0].strings[0].decode(),
                                                     coo and str(coo[0].target)[:-1])
    return members


def wait_content(n, want, catalog=CATALOG):
    """Until it lists these zones with these groups: {zone: group or None}."""
    seen = {}

    def right():
        seen.clear()
        seen.update(content(n, catalog))
        return {z: g for z, (_, g, _) in seen.items()} == want
    try:
        zl.wait_for(right, f'the catalog to list {want}')
    except AssertionError as e:
        raise AssertionError(f'{e}; it has {seen}; {n.syncd.text()[-2000:]}') from None
    return dict(seen)


# ---------------------------------------------------------------- what it says

def test_zones_come_and_go_with_their_sections(node, place):
    n = producer(node())
    listed(n, *ZONES)
    n.start()
    wait_content(n, {})
    own(n, place, *ZONES)
    first = wait_content(n, dict.fromkeys(ZONES))
    serial = n.zone(CATALOG)['serial']
    unlisted(n, 'two.test')
    listed(n, 'three.test', group='gold \\"plated\\"')
    reload(n)
    now = wait_content(n, {'one.test': None, 'three.test': 'gold "plated"'})
    assert n.zone(CATALOG)['serial'] == serial + 1, 'one reload is one version'
    assert now['one.test'] == first['one.test'] and now['three.test'][0] == first['three.test'][0]
    listed(n, 'two.test')
    reload(n)
    again = wait_content(n, {'one.test': None, 'two.test': None, 'three.test': 'gold "plated"'})
    assert again['two.test'][0] != first['two.test'][0], 'who was away begins anew'
    log = n.log(CATALOG)
    assert log[0]['origin'] == 'catalog' and '1 joined, 0 left' in log[0]['reason'], log[0]
    n.journaled()
    assert 'two.test.' in n.git('show', 'refs/heads/' + CATALOG)
    n.verify()
    n.fsck()


def test_a_zone_that_was_removed_comes_back_anew(node, place):
    """Also if it was away but for a moment: a new label tells consumers to begin anew with it."""
    n = producer(node())
    listed(n, *ZONES)
    n.start()
    own(n, place, *ZONES)
    first = wait_content(n, dict.fromkeys(ZONES))
    n.zonectl('zone', 'remove', 'one.test')
    wait_content(n, dict.fromkeys(['two.test', 'three.test']))
    n.zonectl('undelete', 'one.test')
    again = wait_content(n, dict.fromkeys(ZONES))
    assert again['one.test'][0] != first['one.test'][0]
    n.zonectl('zone', 'remove', 'two.test')
    n.zonectl('undelete', 'two.test')
    zl.wait_for(lambda: content(n).get('two.test', first['two.test'])[0] != first['two.test'][0], 'a new label')
    assert content(n)['three.test'] == first['three.test']
    r = n.zonectl('zone', 'remove', CATALOG, check=False)
    assert r.returncode != 0 and 'made here' in r.stdout + r.stderr, r
    n.verify()


def test_nothing_is_lost_by_a_kill(node, place):
    n = producer(node())
    listed(n, *ZONES)
    n.start()
    own(n, place, *ZONES)
    before = wait_content(n, dict.fromkeys(ZONES))
    version = n.zone(CATALOG)['version']
    n.kill()
    n.restart()
    assert content(n) == before
    assert n.zone(CATALOG)['version'] == version
    n.syncd.kill()
    unlisted(n, 'one.test')
    n.write_config()
    n.restart()
    now = wait_content(n, {'two.test': None, 'three.test': None})
    assert now['two.test'] == before['two.test']
    n.verify()


def test_many_zones_are_one_version(node, place):
    """10,000 zones get a section: one version of the catalog; some go, some come back, some change."""
    n = producer(node(level='info'))
    n.data.mkdir()
    subprocess.run([BUILD / 'tests/bin/storewrite', 'fill', n.data, '10000', '3'], check=True, capture_output=True)
    zones = [f'z{i:07}.test' for i in range(10000)]
    silent = zl.free_port()
    n.primaries['p'] = (f'127.0.0.1@{silent}', None)
    for z in zones:
        n.zones[z] = ['p']
    n.start()
    wait_content(n, {})
    made = n.zone(CATALOG)['version']
    listed(n, *zones)
    reload(n)
    first = wait_content(n, dict.fromkeys(zones))
    assert n.zone(CATALOG)['version'] == made + 1
    assert len({label for label, _, _ in first.values()}) == 10000
    for z in zones[:3000]:
        n.zone_options[z].pop('catalog')
    listed(n, *zones[9000:], group='last')
    reload(n)
    now = wait_content(n, {z: 'last' if z >= zones[9000] else None for z in zones[3000:]})
    assert n.zone(CATALOG)['version'] == made + 2
    assert all(now[z][0] == first[z][0] for z in now)
    n.verify()


def test_a_zone_that_appears_by_itself_is_listed(node, place, peer):
    p = peer('knot')
    p.write('new.test', text('new.test'))
    p.start()
    n = producer(node())
    n.primaries[p.name] = (f'127.0.0.1@{p.port}', None)
    n.options['extra'] += (f'\nautoprimary "customer" {{ primaries = {{"{p.name}"}} nameservers = {{"ns.new.test"}}'
                           f' catalog = "{CATALOG}" catalog-group = "customers" }}')
    n.start()
    wait_content(n, {})
    m = dns.message.make_query('new.test', 'SOA')
    m.set_opcode(dns.opcode.NOTIFY)
    assert dns.query.udp(m, '127.0.0.1', port=n.port, timeout=5).rcode() == dns.rcode.NOERROR
    wait_content(n, {'new.test': 'customers'})


def test_files_in_a_directory_are_listed(node, place):
    """What comes at once is few versions, and one that goes is gone."""
    n = producer(node(level='info'))
    files = place / 'zones'
    files.mkdir()
    n.options['extra'] += f'\ndirectory "{files}" {{ catalog = "{CATALOG}" remove = yes settle = 50ms }}'
    n.start()
    wait_content(n, {})
    made = n.zone(CATALOG)['version']
    zones = [f'f{i}.test' for i in range(300)]
    for zone in zones:
        (files / f'{zone}.zone').write_text(text(zone))
    wait_content(n, dict.fromkeys(zones))
    assert n.zone(CATALOG)['version'] - made < 30
    (files / 'f7.test.zone').unlink()
    wait_content(n, dict.fromkeys(z for z in zones if z != 'f7.test'))
    n.verify()


def test_zones_that_a_catalog_brings_are_listed_in_ours(node, peer):
    """The next tier: what we follow we pass on, as our own sections say; the catalog that we follow is not listed itself."""
    p = peer('knot')
    for zone in ZONES:
        p.write(zone, catalogs.member(zone))
    p.write(catalogs.CATALOG, catalogs.text(1, {'one.test': 'a', 'two.test': ('b', {'groups': ['red']})}))
    p.start()
    items = f'catalog = "{CATALOG}"'
    n = catalogs.follower(node, p, catalogs.section(groups='{"red=red"}', catalog=catalogs.CATALOG).replace(' }', f' {items} }}'),
                          f'producer "{CATALOG}" {{ transfer-from = {{"127.0.0.1"}} }}\n'
                          f'template "red" {{ primaries = {{"{p.name}"}} {items} catalog-group = "hot" }}\n')
    n.start()
    first = wait_content(n, {'one.test': None, 'two.test': 'hot'})
    p.load(catalogs.CATALOG, catalogs.text(2, {'one.test': ('a', {'groups': ['red']}), 'two.test': 'b', 'three.test': 'c'}))
    n.zonectl('refresh', catalogs.CATALOG)
    now = wait_content(n, {'one.test': 'hot', 'two.test': None, 'three.test': None})
    assert [now[z][0] for z in first] == [first[z][0] for z in first]
    p.load(catalogs.CATALOG, catalogs.text(3, {'one.test': ('a', {'groups': ['red']}), 'two.test': 'b'}))
    n.zonectl('refresh', catalogs.CATALOG)
    wait_content(n, {'one.test': 'hot', 'two.test': None})
    n.verify()


# ---------------------------------------------------------------- moving

def test_a_zone_moves_to_another_catalog(node, place):
    """It keeps its label; the old catalog says where it went (RFC 9432 4.3.1), for a time."""
    a, b = 'a.invalid', 'b.invalid'
    n = producer(node(), a, b, items='transfer-from = {"127.0.0.0/8"} coo-wait = 1h')
    listed(n, *ZONES, catalog=a)
    n.start()
    own(n, place, *ZONES)
    label = wait_content(n, dict.fromkeys(ZONES), a)['two.test'][0]
    listed(n, 'two.test', catalog=b)
    reload(n)
    zl.wait_for(lambda: content(n, a)['two.test'] == (label, None, b), 'the word of it')
    assert content(n, b) == {}, 'whoever looks at one catalog at a time hears the word first'
    producer(n, a, b, items='transfer-from = {"127.0.0.0/8"} coo-wait = 1s')
    reload(n)
    assert wait_content(n, {'two.test': None}, b) == {'two.test': (label, None, None)}
    listed(n, 'two.test', catalog=a)  # and back
    reload(n)
    zl.wait_for(lambda: content(n, a)['two.test'] == (label, None, None), 'it to be back')
    assert content(n, b)['two.test'] == (label, None, a)
    n.kill()
    n.restart()
    listed(n, 'two.test', catalog=b)
    producer(n, a, b, items='transfer-from = {"127.0.0.0/8"} coo-wait = 1s coo-time = 1s')
    reload(n)
    zl.wait_for(lambda: content(n, b).get('two.test') == (label, None, None), 'it to be in the second again')
    zl.wait_for(lambda: 'two.test' not in content(n, a), 'the first to forget it')
    listed(n, 'one.test', catalog=b)
    reload(n)
    zl.wait_for(lambda: 'one.test' in content(n, b), 'another to move')
    unlisted(n, 'one.test')
    reload(n)
    zl.wait_for(lambda: 'one.test' not in content(n, a) and 'one.test' not in content(n, b), 'what is gone to be nowhere')
    n.verify()


# ---------------------------------------------------------------- who may read it

def test_only_who_may_transfer_it_may_ask(node, place):
    """To others it is as if there were no such zone (RFC 9432 7), by UDP and TCP, and at the end of an alias."""
    key, other = zl.Key('catalog.test'), zl.Key('other.test')
    n = producer(node(keys=[key, other]), items='transfer-keys = {"catalog.test"} transfer-from = {"127.0.0.9"}')
    listed(n, *ZONES)
    n.start()
    own(n, place, *ZONES)
    (place / 'alias.zone').write_text(text('alias.test') + f'version CNAME version.{CATALOG}.\n')
    n.zonectl('import', 'alias.test', place / 'alias.zone')

    def ask(name, rdtype, tcp=False, source='127.0.0.1', key=None):
        m = dns.message.make_query(name, rdtype)
        if key:
            m.use_tsig(key.ring(), key.name, algorithm=key.algorithm)
        f = dns.query.tcp if tcp else dns.query.udp
        return f(m, '127.0.0.1', port=n.port, timeout=5, source=source)

    zl.wait_for(lambda: {CATALOG + '.': 6}.items() <= {z['name']: z['records'] for z in n.json('zone', 'list')}.items(), 'the catalog')
    zl.wait_for(lambda: ask(CATALOG, 'SOA', source='127.0.0.9').answer, 'it to be served')
    for tcp in (False, True):
        for name, rdtype in ((CATALOG, 'SOA'), (CATALOG, 'ANY'), ('version.' + CATALOG, 'TXT'), ('x.' + CATALOG, 'A')):
            r = ask(name, rdtype, tcp)
            assert r.rcode() == dns.rcode.REFUSED and not r.answer and not r.authority, r
            assert ask(name, rdtype, tcp, key=other).rcode() == dns.rcode.REFUSED
            assert ask(name, rdtype, tcp, source='127.0.0.9').rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
        assert ask('version.' + CATALOG, 'TXT', tcp, key=key).answer
        r = ask('version.alias.test', 'TXT', tcp)
        assert r.rcode() == dns.rcode.NOERROR and len(r.answer) == 1 and not r.authority, r
    assert ask(CATALOG, 'IXFR').rcode() == dns.rcode.REFUSED
    with pytest.raises(dns.xfr.TransferError):
        zl.transfer(n.port, CATALOG)
    assert zl.transfer(n.port, CATALOG, key)
    n.syncd.kill()  # and authd alone tells nobody
    assert ask(CATALOG, 'SOA', source='127.0.0.9').rcode() == dns.rcode.SERVFAIL
    assert ask('www.one.test', 'A').answer


def test_it_is_ours_to_change(node, place):
    """Not by UPDATE, not by import, not by a rollback; and a name that is taken is not taken over."""
    n = producer(node(), CATALOG, 'taken.test')
    listed(n, *ZONES)
    n.start()
    own(n, place, *ZONES)
    wait_content(n, dict.fromkeys(ZONES))
    (place / 'zone.text').write_text(text(CATALOG))
    for args in (('import', CATALOG, place / 'zone.text'), ('rollback', CATALOG, '--to', 'v1')):
        r = n.zonectl(*args, check=False)
        assert r.returncode != 0 and 'made here' in r.stdout + r.stderr, r
    u = dns.update.Update(CATALOG)
    u.add('x', 0, 'A', '192.0.2.1')
    assert dns.query.udp(u, '127.0.0.1', port=n.port, timeout=5).rcode() == dns.rcode.REFUSED
    producer(n)  # one is not made any more
    reload(n)
    zl.wait_for(lambda: n.zone('taken.test')['state'] == 'removed', 'it to go')
    own(n, place, 'taken.test')
    producer(n, CATALOG, 'taken.test')
    reload(n)
    zl.wait_for(lambda: 'another zone with its name' in n.syncd.text(), 'a word about it')
    assert n.serial('taken.test') == n.zone('taken.test')['serial']
    wait_content(n, dict.fromkeys(ZONES))
    n.verify()


# ---------------------------------------------------------------- those that follow it

@pytest.fixture
def consumer(place):
    made = []

    def make(name, n, key=None, **options):
        cls = CONSUMERS[name]
        if cls.missing():
            pytest.skip(f'skipped: {cls.program} is not installed')
        c = cls(place / f'{name}-consumer{len(made)}', n, key)
        for k, v in options.items():
            setattr(c, k, v)
        made.append(c)
        return c
    yield make
    for c in made:
        c.stop()


def followed(n, c, *catalogs):
    """The consumer may have the catalogs and all zones, and is told of changes."""
    n.secondaries['consumer'] = c
    producer(n, *catalogs, items='secondaries = {"consumer"}')
    for zone in n.zones:
        n.zone_options.setdefault(zone, {})['secondaries'] = '{"consumer"}'
        if c.name == 'pdns':  # which gives the members of a catalog no TSIG key
            n.zone_options[zone]['transfer-from'] = '{"127.0.0.1"}'


@pytest.mark.parametrize('name', sorted(CONSUMERS))
def test_zones_appear_and_go(name, node, place, consumer):
    n = node()
    c = consumer(name, n, zl.Key())
    listed(n, 'one.test', 'two.test')
    followed(n, c)
    n.start()
    own(n, place, *ZONES)
    c.start(CATALOG)
    c.wait_zones(['one.test', 'two.test'], ['three.test'])
    listed(n, 'three.test')
    followed(n, c)
    unlisted(n, 'one.test')
    reload(n)
    c.wait_zones(['two.test', 'three.test'], ['one.test'])
    assert c.text().count('malformed') == 0
    listed(n, 'one.test')
    followed(n, c)
    reload(n)
    c.wait_zones(ZONES)


@pytest.mark.parametrize('name', ['knot', 'pdns'])
def test_groups_are_understood(name, node, place, consumer):
    """BIND 9.18 takes the property and does nothing with it."""
    n = node()
    c = consumer(name, n, groups=('gold',))
    listed(n, 'one.test', group='gold')
    listed(n, 'two.test')
    followed(n, c)
    n.start()
    own(n, place, *ZONES)
    c.start(CATALOG)
    c.wait_zones(['one.test', 'two.test'])
    if name == 'knot':
        zl.wait_for(lambda: f'catalog: {CATALOG}.#gold' in c.group('one.test'), 'its template')
        assert f'catalog: {CATALOG}.\n' in c.group('two.test')
    else:
        assert '"group": ["gold"]' in c.sql("select options from domains where name = 'one.test'")
        assert 'group' not in c.sql("select options from domains where name = 'two.test'")


@pytest.mark.parametrize('name', sorted(CONSUMERS))
def test_it_follows_a_zone_to_another_catalog(name, node, place, consumer):
    n = node()
    c = consumer(name, n)
    a, b = 'a.invalid', 'b.invalid'
    listed(n, 'one.test', 'two.test', catalog=a)
    listed(n, 'three.test', catalog=b)
    followed(n, c, a, b)
    n.start()
    own(n, place, *ZONES)
    c.start(a, b)
    c.wait_zones(ZONES)
    if name == 'knot':  # 3.2 does not know the word: there, a zone goes from the one, and then comes to the other
        unlisted(n, 'two.test')
        reload(n)
        c.wait_zones(['one.test', 'three.test'], ['two.test'])
    listed(n, 'two.test', catalog=b)
    followed(n, c, a, b)
    producer(n, a, b, items='secondaries = {"consumer"} coo-wait = 1h')
    before = n.zone(a)['serial']
    reload(n)
    if name != 'knot':
        zl.wait_for(lambda: n.zone(a)['serial'] > before, 'the word of it')
        c.wait_serial(a, n.zone(a)['serial'])
    producer(n, a, b, items='secondaries = {"consumer"} coo-wait = 1s')  # now that it has heard it
    reload(n)
    words = {'bind9': "adding zone 'two.test' from catalog 'b.invalid' - success", 'pdns': 'owner change without state reset'}
    try:
        zl.wait_for(lambda: words.get(name, '') in c.text(), f'{name} to follow it', timeout=40)
    except AssertionError as e:
        raise AssertionError(f'{e} {c.text()[-6000:]} {n.syncd.text()[-2000:]}') from None
    c.wait_zones(ZONES)


@pytest.mark.parametrize('name', sorted(CONSUMERS))
def test_many_zones_follow(name, node, place, consumer):
    n = node(level='info')
    n.data.mkdir()
    subprocess.run([BUILD / 'tests/bin/storewrite', 'fill', n.data, '300', '3'], check=True, capture_output=True)
    zones = [f'z{i:07}.test' for i in range(300)]
    n.primaries['silent'] = (f'127.0.0.1@{zl.free_port()}', None)
    c = consumer(name, n)
    for z in zones:
        n.zones[z] = ['silent']
    listed(n, *zones)
    followed(n, c)
    n.start()
    c.start(CATALOG)
    c.wait_zones(zones, timeout=100)
    for z in zones[:200]:
        n.zone_options[z].pop('catalog')
    reload(n)
    c.wait_zones(zones[200:], zones[:200], timeout=100)
