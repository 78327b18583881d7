"""A zone with two primaries: the newest version wins, whoever has it; or, with a tolerance, it stays with one of them."""
import selectors
import socket
import threading

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


class Silent:
    """It takes whatever comes, and says nothing."""

    def __init__(self):
        self.port, self.name, self.key = zl.free_port(), 'silent', None
        self.datagrams, self.connections, self.ended = 0, [], False
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.tcp = socket.socket()
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for s in (self.udp, self.tcp):
            s.bind(('127.0.0.1', self.port))
        self.tcp.listen(100)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        with selectors.DefaultSelector() as ready:
            ready.register(self.udp, selectors.EVENT_READ)
            ready.register(self.tcp, selectors.EVENT_READ)
            while not self.ended:
                for key, _ in ready.select(0.1):
                    if key.fileobj is self.udp:
                        self.udp.recv(1000)
                        self.datagrams += 1
                    else:
                        self.connections.append(self.tcp.accept()[0])

    def stop(self):
        self.ended = True
        self.thread.join()
        for s in (self.udp, self.tcp, *self.connections):
            s.close()


def test_one_silent_primary_holds_up_no_fleet(peer, node):
    """What some zones have found out, the others need not find out again."""
    zones = [f'z{i}.test' for i in range(60)]
    silent, p = Silent(), peer('knot')
    n = node(syncd='probe-timeout = 500ms transfer-idle = 1s')
    try:
        for zone in zones:
            p.write(zone, zl.small_zone(1, zone=zone))
            n.secondary_of(zone, silent, p, **{'refresh-min': '2s', 'refresh-max': '2s'})
        p.start()
        n.start()
        for zone in zones:
            n.wait_serial(zone, 1)
        first = len(silent.connections)
        assert 5 <= first <= 12, 'five had to find out, and who was under way by then'
        said = 'a primary gives no answer, whichever zone asks'
        assert n.syncd.text().count(said) == 1
        for zone in zones:
            p.load(zone, zl.small_zone(2, zone=zone))
        for zone in zones:
            n.wait_serial(zone, 2)
        assert len(silent.connections) - first <= 10
        by_name = {x['name']: x for x in n.json('primary', 'list')}
        assert by_name['silent']['state'] == 'failing' and by_name['knot']['state'] == 'ok'
    finally:
        silent.stop()
    q = peer('bind9')
    q.port = silent.port
    q.write(zones[0], zl.small_zone(3, zone=zones[0]))
    q.start()
    n.zonectl('refresh', zones[0])  # an operator's question goes to everybody
    n.wait_serial(zones[0], 3)
    zl.wait_for(lambda: 'a primary answers again' in n.syncd.text(), 'that to be said')
    assert n.syncd.text().count(said) == 1
