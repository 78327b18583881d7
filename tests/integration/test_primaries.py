"""A zone with two primaries: the newest version wins, whoever has it; or, with a tolerance, it stays with one of them."""
import zl

ZONE = 'example.test'


def two(peer, node, **items):
    a, b = peer('knot'), peer('bind9')
    for p in (a, b):
        p.write(ZONE, zl.small_zone(1))
        p.start()
    return a, b, node().secondary_of(ZONE, a, b, **{'refresh-min': '1s', 'refresh-max': '1s', 'retry-min': '1s', 'retry-max': '1s', **items})


def versions(n):
    """[(serial, from whom)] newest first"""
    return [(v['serial'], v['source']) for v in n.log(ZONE)]


def test_the_newest_wins(peer, node):
    a, b, n = two(peer, node)
    n.start()
    n.wait_serial(ZONE, 1)
    b.load(ZONE, zl.small_zone(2))
    n.wait_serial(ZONE, 2)
    a.load(ZONE, zl.small_zone(3))
    n.wait_serial(ZONE, 3)
    assert versions(n) == [(3, 'knot'), (2, 'bind9'), (1, 'knot')]


def test_it_stays_with_one_while_that_is_not_late(peer, node):
    a, b, n = two(peer, node, **{'primary-tolerance': '3600s'})
    n.start()
    n.wait_serial(ZONE, 1)
    b.load(ZONE, zl.small_zone(2))
    zl.wait_for(lambda: n.zone(ZONE)['primary_serial'] == 2, 'the other one to be seen')
    assert n.serial(ZONE) == 1
    a.load(ZONE, zl.small_zone(2, www='192.0.2.99'))
    zl.wait_for(lambda: zl.serial(a.port, ZONE) == 2, 'ours to have it')
    n.zonectl('refresh', ZONE)
    n.wait_serial(ZONE, 2)
    assert versions(n) == [(2, 'knot'), (1, 'knot')]
    zl.wait_for(lambda: n.ask('www.' + ZONE, 'A').answer[0][0].to_text() == '192.0.2.99', 'its content')


def test_it_goes_elsewhere_when_its_primary_stays_away(peer, node):
    a, b, n = two(peer, node, **{'primary-tolerance': '3s'})
    n.start()
    n.wait_serial(ZONE, 1)
    a.stop()
    b.load(ZONE, zl.small_zone(2))
    n.wait_serial(ZONE, 2)
    assert versions(n) == [(2, 'bind9'), (1, 'knot')] and n.log(ZONE)[0]['origin'] == 'axfr', 'from another one, the whole zone'
    a.write(ZONE, zl.small_zone(3))
    a.start()
    n.wait_serial(ZONE, 3)
    assert versions(n)[0] == (3, 'knot')


def test_a_restart_does_not_forget_which_one(peer, node):
    """The zone came from the second in order; after a restart a newer version of the first one has to wait."""
    a, b, n = two(peer, node, **{'primary-tolerance': '3600s'})
    a.stop()
    n.start()
    n.wait_serial(ZONE, 1)
    assert versions(n) == [(1, 'bind9')]
    n.stop()
    a.write(ZONE, zl.small_zone(2))
    a.start()
    n.start()
    zl.wait_for(lambda: n.zone(ZONE)['primary_serial'] == 2, 'the other one to be seen')
    assert n.serial(ZONE) == 1
    b.load(ZONE, zl.small_zone(2, www='192.0.2.99'))
    zl.wait_for(lambda: zl.serial(b.port, ZONE) == 2, 'ours to have it')
    n.zonectl('refresh', ZONE)
    n.wait_serial(ZONE, 2)
    assert versions(n) == [(2, 'bind9'), (1, 'bind9')]
