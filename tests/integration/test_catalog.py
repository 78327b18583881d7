"""Zones come and go with a catalog zone (RFC 9432), and nothing that goes wrong there takes one away."""
import dns.message
import dns.query
import dns.rcode
import pytest
import zl
from catalogs import CATALOG, KnotProducer, PdnsProducer, follower, member, names, section, served, text


def primary_of(peer, *zones, catalog=None, name='knot', key=None):
    p = peer(name, key)
    for zone in zones:
        p.write(zone, member(zone))
    p.write(CATALOG, catalog or text(1, {z: f'id{i}' for i, z in enumerate(zones)}))
    return p


@pytest.mark.parametrize('signed', [False, True], ids=['plain', 'tsig'])
@pytest.mark.parametrize('producer', [KnotProducer, PdnsProducer], ids=['knot', 'pdns'])
def test_a_real_producer(producer, signed, peer, node):
    p = peer(producer, zl.Key() if signed else None)
    n = follower(node, p)
    p.notify_to(n)
    p.write('one.test', member('one.test'))
    p.write('two.test', member('two.test', 5))
    p.start()
    n.start()
    served(n, 'one.test', 'two.test')
    assert n.zone('two.test')['catalog'] == f'{CATALOG}.' and n.zone('two.test')['serial'] == 5
    p.write('three.test', member('three.test'))
    p.change()
    served(n, 'one.test', 'three.test', 'two.test')
    n.verify()


@pytest.mark.parametrize('name', ['bind9', 'nsd'])
def test_a_catalog_that_somebody_wrote(name, peer, node):
    """NSD and BIND of today make none, but serve and pass on what is in the file."""
    p = primary_of(peer, 'one.test', 'two.test', name=name)
    n = follower(node, p)
    p.notify_to(n)
    p.start()
    n.start()
    served(n, 'one.test', 'two.test')
    p.load(CATALOG, text(2, {'two.test': 'id1'}))
    n.zonectl('refresh', CATALOG)
    served(n, 'two.test')
    assert n.ask('one.test', 'SOA').rcode() == dns.rcode.REFUSED
    assert [v['origin'] for v in n.log('one.test')] == ['remove', 'axfr'], 'its history is kept'
    n.verify()


def test_it_goes_on_after_a_kill_at_any_moment(peer, node):
    zones = [f'z{i}.test' for i in range(30)]
    p = primary_of(peer, *zones)
    n = follower(node, p)
    p.start()
    n.start()
    zl.wait_for(lambda: 'a catalog is followed' in n.syncd.text(), 'the catalog to be read')
    n.syncd.kill()
    n.restart()
    served(n, *zones)
    p.load(CATALOG, text(2, {z: f'id{i}' for i, z in enumerate(zones) if i > 1}))
    n.zonectl('refresh', CATALOG)
    n.wait_serial(CATALOG, 2)
    n.syncd.kill()
    n.restart()
    served(n, *zones[2:])
    n.verify()


def test_a_zone_that_comes_back_is_served_once_it_is_fetched(peer, node):
    p = primary_of(peer, 'one.test', 'two.test', 'three.test')
    n = follower(node, p)
    p.start()
    n.start()
    served(n, 'one.test', 'two.test', 'three.test')
    p.load(CATALOG, text(2, {'two.test': 'id1', 'three.test': 'id2'}))
    n.zonectl('refresh', CATALOG)
    served(n, 'three.test', 'two.test')
    p.load('one.test', member('one.test', 9))
    p.load(CATALOG, text(3, {'one.test': 'id9', 'two.test': 'id1', 'three.test': 'id2'}))
    n.zonectl('refresh', CATALOG)
    n.wait_serial('one.test', 9)
    assert [(v['serial'], v['origin']) for v in n.log('one.test')] == [(9, 'axfr'), (1, 'remove'), (1, 'axfr')]
    n.verify()


def test_a_zone_that_went_can_be_made_our_own(peer, node, place):
    p = primary_of(peer, 'one.test', 'two.test')
    n = follower(node, p)
    p.start()
    n.start()
    served(n, 'one.test', 'two.test')
    p.load(CATALOG, text(2, {'two.test': 'id1'}))
    n.zonectl('refresh', CATALOG)
    served(n, 'two.test')
    r = n.zonectl('undelete', 'one.test', check=False)
    assert r.returncode == 1 and 'goes with its catalog' in r.stderr
    (place / 'one.zone').write_text(n.zonectl('show', 'one.test@v1').stdout)
    n.zonectl('import', 'one.test', place / 'one.zone')
    assert n.ask('www.one.test', 'A').answer and n.zone('one.test')['kind'] == 'Local'
    p.load(CATALOG, text(3, {'one.test': 'id0', 'two.test': 'id1'}))
    n.zonectl('refresh', CATALOG)
    zl.wait_for(lambda: n.json('catalog', 'list')[0]['refused'] == 1, 'the catalog to be refused')
    n.verify()


BROKEN = {
    'no-version': text(2, {'one.test': 'a'}, version=''),
    'version-1': text(2, {'one.test': 'a'}, version='1'),
    'two-versions': text(2, {'one.test': 'a'}, extra='version TXT "1"\n'),
    'two-ptr': text(2, {'one.test': 'a'}, extra='a.zones PTR three.test.\n'),
    'zone-twice': text(2, {'one.test': 'a'}, extra='b.zones PTR ONE.test.\n'),
    'two-coo': text(2, {'one.test': ('a', {'coo': 'cat2.test'})}, extra='coo.a.zones PTR cat3.test.\n'),
    'itself': text(2, {'one.test': 'a', CATALOG: 'b'}),
}


@pytest.mark.parametrize('fault', sorted(BROKEN))
def test_a_broken_catalog_changes_nothing(fault, peer, node):
    p = primary_of(peer, 'one.test', 'two.test', name='nsd')
    n = follower(node, p)
    p.start()
    n.start()
    served(n, 'one.test', 'two.test')
    p.load(CATALOG, BROKEN[fault])
    n.zonectl('refresh', CATALOG)
    zl.wait_for(lambda: 'the catalog is broken' in n.zone(CATALOG)['last_error'], 'the fault to be shown')
    assert names(n) == ['one.test', 'two.test'] and n.serial(CATALOG) == 1
    p.load(CATALOG, text(3, {'two.test': 'id1'}))
    n.zonectl('refresh', CATALOG)
    served(n, 'two.test')


def test_mass_removal_asks_the_operator(peer, node):
    zones = [f'z{i:02}.test' for i in range(30)]
    p = primary_of(peer, *zones)
    n = follower(node, p)
    p.start()
    n.start()
    served(n, *zones)
    p.load(CATALOG, text(2, {'z00.test': 'id0'}))
    n.zonectl('refresh', CATALOG)
    zl.wait_for(lambda: n.json('catalog', 'list')[0]['braked'], 'the brake')
    k = n.json('catalog', 'list')[0]
    assert (k['zones'], k['members'], k['waiting_to_go'], k['state']) == (30, 1, 29, 'braked'), k
    assert all(n.serial(z) == 1 for z in zones)
    n.syncd.kill()  # nothing is forgotten, and nothing slips through
    n.restart()
    zl.wait_for(lambda: n.json('catalog', 'list')[0]['braked'], 'the brake again')
    assert names(n) == zones
    # Most come back: what is left is few, and goes.
    p.load(CATALOG, text(3, {z: f'id{i}' for i, z in enumerate(zones) if i > 2}))
    n.zonectl('refresh', CATALOG)
    served(n, *zones[3:])
    p.load(CATALOG, text(4, {}))
    n.zonectl('refresh', CATALOG)
    zl.wait_for(lambda: n.json('catalog', 'list')[0]['waiting_to_go'] == 27, 'the brake for all of them')
    shown = n.json('catalog', 'show', CATALOG)['members']
    assert {m['state'] for m in shown} == {'waiting to go'} and len(shown) == 27
    assert n.json('catalog', 'approve', CATALOG, '--reason', 'we moved')['removed'] == 27
    act = n.json('log', '--actions')[0]
    assert (act['action'], act['zone'], act['reason']) == ('catalog approve', f'{CATALOG}.', 'we moved')
    zl.wait_for(lambda: names(n) == [], 'all to go')
    assert n.zonectl('catalog', 'approve', CATALOG, check=False).returncode == 1
    n.verify()


def test_what_a_catalog_may_not_bring(peer, node, place):
    zones = ['own.test', 'mine.test', 'one.test', 'two.test', 'three.test', 'foreign.example']
    p = primary_of(peer, *zones)
    n = follower(node, p, section(suffixes='{"test"}', zones_max=2))
    n.secondary_of('own.test', p)
    p.start()
    n.start()
    n.wait_serial('own.test', 1)
    zl.wait_for(lambda: n.json('catalog', 'list')[0]['members'] == 6, 'the catalog to be read')
    zl.wait_for(lambda: n.json('catalog', 'list')[0]['zones'] == 2, 'what may come')
    why = {m['zone']: m['why'] for m in n.json('catalog', 'show', CATALOG)['members'] if m['state'] == 'refused'}
    assert len(why) == 4 and 'the configuration has the zone itself' in why['own.test.'], why
    assert 'suffix' in why['foreign.example.']
    assert sum('zones-max' in w for w in why.values()) == 2
    assert n.json('catalog', 'list')[0]['refused'] == 4
    # Room again: the next version brings another one.
    gone = names(n)[0] if names(n)[0] != 'own.test' else names(n)[1]
    p.load(CATALOG, text(2, {z: f'id{i}' for i, z in enumerate(zones) if z != gone}))
    n.zonectl('refresh', CATALOG)
    zl.wait_for(lambda: gone not in names(n), f'{gone} to go')
    p.load(CATALOG, text(3, {z: f'id{i}' for i, z in enumerate(zones) if z != gone}, extra='ext TXT "x"\n'))
    n.zonectl('refresh', CATALOG)
    zl.wait_for(lambda: n.json('catalog', 'list')[0]['zones'] == 2, 'the next one')


def test_an_imported_zone_stays_ours(peer, node, place):
    p = primary_of(peer, 'one.test', 'own.test')
    n = follower(node, p)
    n.start()
    (place / 'own.zone').write_text(member('own.test', 77))
    n.zonectl('import', 'own.test', place / 'own.zone')
    p.start()
    n.zonectl('refresh', CATALOG)
    n.wait_serial('one.test', 1)
    assert n.serial('own.test') == 77
    assert 'a zone of our own' in [m['why'] for m in n.json('catalog', 'show', CATALOG)['members'] if m['zone'] == 'own.test.'][0]


def test_groups_choose_templates(peer, node):
    a = primary_of(peer, 'plain.test', 'other.test', catalog=text(1, {
        'plain.test': 'a', 'other.test': ('b', {'groups': ['elsewhere']}), 'odd.test': ('c', {'groups': ['nobody']})}))
    b = peer('bind9')
    b.write('other.test', member('other.test', 500))  # only the template's primary has this one
    n = follower(node, a, section(groups='{"elsewhere=second"}'),
                 'template "second" { primaries = {"bind9"} refresh-min = 1s retry-min = 1s }\n')
    n.primaries['bind9'] = (f'127.0.0.1@{b.port}', None)
    a.start()
    b.start()
    n.start()
    n.wait_serial('plain.test', 1)
    n.wait_serial('other.test', 500)
    why = {m['zone']: m['why'] for m in n.json('catalog', 'show', CATALOG)['members'] if m['state'] == 'refused'}
    assert list(why) == ['odd.test.'] and 'unknown-group' in why['odd.test.']
    # The group goes: the zone is followed elsewhere from then on.
    a.load('other.test', member('other.test', 501))
    a.load(CATALOG, text(2, {'plain.test': 'a', 'other.test': 'b'}))
    n.zonectl('refresh', CATALOG)
    n.wait_serial('other.test', 501)
    n.syncd.kill()
    n.restart()
    n.wait_serial('other.test', 501)
    n.verify()


def test_a_groups_template_says_how_a_zone_is_rolled_back(peer, node):
    """And zonectl shows the primaries that the zone really has."""
    a = primary_of(peer, 'plain.test', 'other.test', catalog=text(1, {'plain.test': 'a', 'other.test': ('b', {'groups': ['signed']})}))
    b = peer('bind9')
    b.write('other.test', member('other.test', 1))
    n = follower(node, a, section(groups='{"signed=as-it-was"}'), 'template "as-it-was" { primaries = {"bind9"} '
                 'rollback-serial = exact refresh-min = 1s retry-min = 1s }\n')
    n.primaries['bind9'] = (f'127.0.0.1@{b.port}', None)
    a.start()
    b.start()
    n.start()
    for zone, p in (('plain.test', a), ('other.test', b)):
        n.wait_serial(zone, 1)
        assert n.zone(zone)['masters'] == [f'127.0.0.1@{p.port}']
        p.load(zone, member(zone, 2) + 'new A 192.0.2.2\n')
        n.zonectl('refresh', zone)
        n.wait_serial(zone, 2)
        n.zonectl('rollback', zone, '--to', 'v1')
    n.wait_serial('plain.test', 3)
    n.wait_serial('other.test', 1)
    n.verify()


def test_another_label_starts_the_zone_anew(peer, node):
    p = primary_of(peer, 'one.test', catalog=text(1, {'one.test': 'first'}))
    p.write('one.test', member('one.test', 900))
    n = follower(node, p)
    p.start()
    n.start()
    n.wait_serial('one.test', 900)
    p.load('one.test', member('one.test', 3))  # made anew by somebody else: no serial arithmetic helps here
    n.zonectl('refresh', 'one.test')
    zl.wait_for(lambda: 'behind' in n.zone('one.test')['last_error'], 'the older serial to be refused')
    assert n.serial('one.test') == 900
    p.load(CATALOG, text(2, {'one.test': 'second'}))
    n.zonectl('refresh', CATALOG)
    n.wait_serial('one.test', 3)
    anew = n.syncd.text().count('is fetched anew')
    assert anew == 1
    n.syncd.kill()
    n.restart()
    n.wait_serial('one.test', 3)
    n.zonectl('refresh', CATALOG)
    zl.wait_for(lambda: n.syncd.text().count('a catalog is followed') >= 3, 'the catalog to be read again')
    assert n.syncd.text().count('is fetched anew') == anew, 'once is enough'


def two_catalogs(peer, node, first, second):
    p = peer('knot')
    for zone in ('one.test', 'two.test'):
        p.write(zone, member(zone))
    p.write('cat1.test', text(1, first, 'cat1.test'))
    p.write('cat2.test', text(1, second, 'cat2.test'))
    return p, follower(node, p, section('cat1.test'), section('cat2.test'))


def owner(n, zone):
    return n.zone(zone)['catalog']


def test_a_zone_changes_its_catalog_only_with_leave(peer, node):
    p, n = two_catalogs(peer, node, {'one.test': 'a', 'two.test': 'b'}, {})
    p.start()
    n.start()
    served(n, 'one.test', 'two.test')
    p.load('cat2.test', text(2, {'one.test': 'x'}, 'cat2.test'))
    n.zonectl('refresh', 'cat2.test')
    zl.wait_for(lambda: n.json('catalog', 'list')[1]['refused'] == 1, 'the second catalog to be refused')
    assert owner(n, 'one.test') == 'cat1.test.'
    p.load('cat1.test', text(2, {'one.test': ('a', {'coo': 'cat2.test'}), 'two.test': 'b'}, 'cat1.test'))
    n.zonectl('refresh', 'cat1.test')
    zl.wait_for(lambda: owner(n, 'one.test') == 'cat2.test.', 'the change of ownership')
    p.load('cat1.test', text(3, {'two.test': 'b'}, 'cat1.test'))
    n.zonectl('refresh', 'cat1.test')
    n.wait_serial('cat1.test', 3)
    n.syncd.kill()
    n.restart()
    served(n, 'one.test', 'two.test')
    assert owner(n, 'one.test') == 'cat2.test.' and owner(n, 'two.test') == 'cat1.test.'
    n.verify()


def test_who_waits_for_a_zone_gets_it_when_it_is_let_go(peer, node):
    p, n = two_catalogs(peer, node, {'one.test': 'a', 'two.test': 'b'}, {})
    p.start()
    n.start()
    served(n, 'one.test', 'two.test')
    p.load('cat2.test', text(2, {'one.test': 'x'}, 'cat2.test'))
    n.zonectl('refresh', 'cat2.test')
    n.wait_serial('cat2.test', 2)
    p.load('cat1.test', text(2, {'two.test': 'b'}, 'cat1.test'))
    n.zonectl('refresh', 'cat1.test')
    zl.wait_for(lambda: owner(n, 'one.test') == 'cat2.test.', 'the other catalog to get it')
    served(n, 'one.test', 'two.test')


def test_a_catalog_leaves_the_configuration(peer, node):
    """Its zones stay served, as long as they live; with it they come under it again."""
    p = primary_of(peer, 'one.test')
    n = follower(node, p)
    p.start()
    n.start()
    served(n, 'one.test')
    extra, n.options['extra'] = n.options['extra'], ''
    n.write_config()
    n.syncd.signal(1)
    zl.wait_for(lambda: 'a catalog that is not configured any more' in n.syncd.text(), 'the warning')
    assert n.serial('one.test') == 1
    n.options['extra'] = extra
    n.write_config()
    n.syncd.signal(1)
    p.load('one.test', member('one.test', 2))
    zl.wait_for(lambda: n.zonectl('refresh', 'one.test', check=False).returncode == 0, 'it to be followed again')
    n.wait_serial('one.test', 2)


def test_a_catalog_is_not_for_everybody(peer, node):
    """It tells what else is here (RFC 9432 7): only who may transfer it is answered."""
    key = zl.Key('reader.test')
    p = primary_of(peer, 'one.test')
    n = follower(node, p, section(transfer_from='{}', transfer_keys=f'{{"{key.name}"}}'), keys=[key])
    p.start()
    n.start()
    n.wait_serial('one.test', 1)
    assert n.ask(CATALOG, 'SOA').rcode() == dns.rcode.REFUSED
    assert n.ask(f'id0.zones.{CATALOG}', 'PTR', tcp=True).rcode() == dns.rcode.REFUSED
    q = dns.message.make_query(CATALOG, 'SOA')
    q.use_tsig(key.ring(), key.name, algorithm=key.algorithm)
    assert dns.query.udp(q, '127.0.0.1', port=n.port, timeout=5).answer[0][0].serial == 1


def test_wrong_sections_are_named(node):
    n = node()
    n.write_config()
    good = n.conf.read_text() + 'primary "p" { address = "192.0.2.1" }\ntemplate "t" { primaries = {"p"} }\n'
    for body, words in (('catalog "c.test" { }', 'needs primaries'),
                        ('catalog "c..test" { primaries = {"p"} }', 'c..test'),
                        ('catalog "c.test" { primaries = {"p"} members = "u" }', "no template 'u'"),
                        ('catalog "c.test" { primaries = {"p"} groups = {"g"} }', 'GROUP=TEMPLATE'),
                        ('catalog "c.test" { primaries = {"p"} groups = {"g=u"} }', "no template 'u'"),
                        ('catalog "c.test" { primaries = {"p"} unknown-group = "drop" }', 'hold or ignore'),
                        ('catalog "c.test" { primaries = {"p"} suffixes = {"x..y"} }', 'suffixes'),
                        ('zone "c.test" { primaries = {"p"} }\ncatalog "C.test" { primaries = {"p"} }', 'twice'),
                        ('template "u" { }', 'needs primaries')):
        n.conf.write_text(good + body + '\n')
        r = zl.subprocess.run([zl.BIN / 'syncd', '-c', n.conf, '--check-config'], capture_output=True, text=True)
        assert r.returncode == 1 and words in r.stderr and 'zl.conf' in r.stderr, (body, r.stderr)
