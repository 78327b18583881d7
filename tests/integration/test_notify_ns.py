"""Changes told to a zone's own nameservers (RFC 1996 2.1), where that is switched on."""
import socket
import threading

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rrset
import pytest
import zl

ZONE, OTHER = 'example.test', 'served.test'


class Listener:
    """A name server at 127.0.0.LAST that hears NOTIFYs, and acknowledges them."""

    def __init__(self, last, port):
        self.heard = []
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((f'127.0.0.{last}', port))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                data, client = self.sock.recvfrom(4096)
            except OSError:
                return
            q = dns.message.from_wire(data)
            if q.opcode() == dns.opcode.NOTIFY:
                self.heard.append((str(q.question[0].name)[:-1], q.answer[0][0].serial if q.answer else None))
                r = dns.message.make_response(q)
                r.flags |= dns.flags.AA
                self.sock.sendto(r.to_wire(), client)


class Resolver:
    """Knows the addresses in `names`, or is silent where they are None."""

    def __init__(self, **names):
        self.names, self.asked = names, []
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(('127.0.0.1', 0))
        self.address = f'127.0.0.1@{self.sock.getsockname()[1]}'
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                data, client = self.sock.recvfrom(4096)
            except OSError:
                return
            q = dns.message.from_wire(data)
            name = str(q.question[0].name).lower().rstrip('.')
            self.asked.append((name, q.question[0].rdtype))
            host = name.split('.')[0]
            if host in self.names and self.names[host] is None:
                continue
            r = dns.message.make_response(q)
            r.flags |= dns.flags.RA
            if host not in self.names:
                r.set_rcode(dns.rcode.NXDOMAIN)
            elif q.question[0].rdtype == 1:
                r.answer.append(dns.rrset.from_text(q.question[0].name, 600, 'IN', 'A', self.names[host]))
            self.sock.sendto(r.to_wire(), client)


@pytest.fixture
def around(node):
    """A node with a zone whose nameservers live on 127.0.0.21 and so on, at authd's own port."""
    made = []

    def make(resolver, zone_options=None, extra=''):
        n = node(extra=extra)
        servers = {i: Listener(i, n.port) for i in range(21, 29)}
        made.extend([*servers.values(), resolver])
        n.options['syncd'] = f'resolvers = {{"{resolver.address}"}} notify-ns-port = {n.port}'
        n.options['extra'] = extra.replace('PORT', str(n.port))
        n.zones[ZONE] = n.zones[OTHER] = []
        n.zone_options[ZONE] = {'notify-ns': 'yes', **(zone_options or {})}
        n.zone_options[OTHER] = {'transfer-from': '{"127.0.0.9"}'}
        n.start()
        return n, servers
    yield make
    for m in made:
        m.sock.close()


def publish(n, text, zone=ZONE):
    n.zonectl('import', zone, '-', stdin=text)


def zone_text(serial, *servers):
    """The nameservers are (name, where the zone has its address or None)."""
    head = f'''$ORIGIN {ZONE}.
$TTL 300
@ SOA ns1 hostmaster {serial} 3600 600 86400 300
@ TXT "version {serial}"
sub NS ns.sub
'''
    return head + ''.join(f'@ NS {name}\n' + (f'{name} A {address}\n' if address else '') for name, address in servers)


SERVERS = (('ns1', '127.0.0.21'), ('ns2', '127.0.0.22'), ('ns.sub', '127.0.0.23'), ('ns.served.test.', None),
           ('far.elsewhere.test.', None), ('lost.elsewhere.test.', None), ('own', '127.0.0.1'), ('ns7', '127.0.0.27'), ('twin', '127.0.0.22'))


def test_its_nameservers_are_told_wherever_their_addresses_stand(around):
    """In the zone, as glue, in another zone of ours, at the resolver. Not the primary of the SOA, nor ourselves, nor anybody twice."""
    resolver = Resolver(far='127.0.0.25')
    n, servers = around(resolver, {'secondaries': '{"listed"}'}, 'secondary "listed" { address = "127.0.0.27@PORT" }')
    publish(n, zl.small_zone(1, zone=OTHER, extra='ns A 127.0.0.24'), OTHER)
    publish(n, zone_text(1, *SERVERS))
    told = (22, 23, 24, 25, 27)
    zl.wait_for(lambda: all((ZONE, 1) in servers[i].heard for i in told), 'all to be told of serial 1')
    publish(n, zone_text(2, *SERVERS))
    zl.wait_for(lambda: all((ZONE, 2) in servers[i].heard for i in told), 'all to be told of serial 2')
    zl.wait_for(lambda: 'zoneledger_notifies_out_waiting 0' in n.zonectl('metrics').stdout, 'all answers to be in')
    for i in told:
        assert servers[i].heard == [(ZONE, 1), (ZONE, 2)], i
    assert not any(servers[i].heard for i in servers if i not in told)
    assert 'a NOTIFY is refused' not in n.syncd.text()  # our own authd got none
    assert sorted(set(resolver.asked)) == [('far.elsewhere.test', 1), ('far.elsewhere.test', 28), ('lost.elsewhere.test', 1), ('lost.elsewhere.test', 28)]
    assert len(resolver.asked) == 4, 'asked once, then remembered'
    assert 'no address of a nameserver can be found' in n.syncd.text() and 'lost.elsewhere.test' in n.syncd.text()


def test_a_resolver_that_is_silent_holds_up_nobody(around):
    resolver = Resolver(far=None)
    n, servers = around(resolver)
    publish(n, zone_text(1, ('ns2', '127.0.0.22'), ('far.elsewhere.test.', None)))
    zl.wait_for(lambda: (ZONE, 1) in servers[22].heard, 'the one whose address we know to be told')
    assert n.serial(ZONE) == 1
    publish(n, zone_text(2, ('ns2', '127.0.0.22'), ('far.elsewhere.test.', None)))
    zl.wait_for(lambda: (ZONE, 2) in servers[22].heard, 'it to be told again')


def test_nobody_is_told_unless_it_is_wanted(around):
    n, servers = around(Resolver(), {'notify-ns': 'no', 'transfer-from': '{"127.0.0.9"}'})
    publish(n, zone_text(1, *SERVERS))
    n.wait_serial(ZONE, 1)
    n.zone_options[ZONE] = {'notify-ns': 'yes'}
    n.write_config()
    n.syncd.signal(1)
    zl.wait_for(lambda: 'configuration reloaded' in n.syncd.text(), 'the reload')
    publish(n, zone_text(2, *SERVERS))
    zl.wait_for(lambda: (ZONE, 2) in servers[22].heard, 'serial 2 to be told')
    assert servers[22].heard == [(ZONE, 2)]


def test_a_zone_from_a_primary_is_told_on(around, peer):
    """After a transfer too; the primary, which knows, is not among those that are told."""
    resolver = Resolver()
    n, servers = around(resolver)
    p = peer('knot').notify_to(n)
    p.write('tiers.test', zone_text(1, ('ns1', '127.0.0.21'), ('ns2', '127.0.0.22')).replace(ZONE, 'tiers.test'))
    p.start()
    n.secondary_of('tiers.test', p, **{'notify-ns': 'yes'})
    n.write_config()
    n.syncd.signal(1)
    zl.wait_for(lambda: ('tiers.test', 1) in servers[22].heard, 'the other nameserver to be told of the first version')
    p.load('tiers.test', zone_text(2, ('ns1', '127.0.0.21'), ('ns2', '127.0.0.22')).replace(ZONE, 'tiers.test'))
    zl.wait_for(lambda: ('tiers.test', 2) in servers[22].heard, 'and of the next one')
    assert not servers[21].heard
