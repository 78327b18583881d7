"""A primary that lies. It answers SOA probes honestly and AXFR by script, one script at a time."""
import socket
import socketserver
import struct
import threading
import time

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsigkeyring
import dns.zone
import zl

ORIGIN = dns.name.from_text('example.test')


def zone_records(text):
    """SOA first, then the rest: the body of an AXFR, without the closing SOA."""
    z = dns.zone.from_text(text, origin=ORIGIN, relativize=False)
    soa = dns.rrset.from_rdata_list(ORIGIN, 300, list(z.find_rdataset(ORIGIN, 'SOA')))
    rest = []
    for name, node in z.items():
        for rds in node:
            if rds.rdtype != dns.rdatatype.SOA:
                rest.append(dns.rrset.from_rdata_list(name, rds.ttl, list(rds)))
    return soa, rest


def rr(text_name, ttl, rdclass, rdtype, *data):
    return dns.rrset.from_text(dns.name.from_text(text_name, ORIGIN), ttl, rdclass, rdtype, *data)


class Transfer:
    """What a script works with: the query, and the connection to answer on."""

    def __init__(self, query, sock, primary):
        self.query, self.sock, self.primary = query, sock, primary
        self.soa, self.rest = zone_records(primary.text)

    def message(self, rrsets, question=True, rcode=dns.rcode.NOERROR):
        m = dns.message.make_response(self.query)
        m.flags |= dns.flags.AA
        m.set_rcode(rcode)
        m.tsig = m.keyring = None  # scripts sign by themselves
        if rcode == dns.rcode.NOERROR:
            m.use_edns(-1)  # and count octets
        if not question:
            m.question = []
        m.answer = list(rrsets)
        return m

    def send_wire(self, wire):
        self.sock.sendall(struct.pack('!H', len(wire)) + wire)

    def send(self, *messages):
        for m in messages:
            self.send_wire(m if isinstance(m, bytes) else m.to_wire(max_size=65535))

    def good(self):
        return self.message([self.soa, *self.rest, self.soa])


class Datagram(Transfer):
    """The same for a question by UDP: each message is a datagram."""

    def __init__(self, query, sock, client, primary):
        super().__init__(query, sock, primary)
        self.client = client

    def send_wire(self, wire):
        self.sock.sendto(wire, self.client)


class Primary:
    """Listens on UDP and TCP; `script(Transfer)` answers AXFR, None is an honest answer. The same with
    `ixfr_script`, but that without one it does not know IXFR. `udp_script(Datagram)` answers IXFR by UDP."""
    name = 'hostile'

    def __init__(self, text, key=None):
        self.text, self.key, self.script, self.ixfr_script = text, key, None, None
        self.probe_script = None  # what the answer to SOA becomes: octets -> octets, or None for none
        self.udp_script = None
        self.edns = True  # False: it has never heard of EDNS
        self.transfers = self.increments = self.probes = self.datagrams = 0
        self.port = zl.free_port()
        self.stopping = False
        outer = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self):
                data, sock = self.request
                q = outer.parse(data)
                if q.question[0].rdtype == dns.rdatatype.IXFR:
                    outer.datagrams += 1
                    if outer.udp_script:
                        outer.udp_script(Datagram(q, sock, self.client_address, outer))
                    return
                r = outer.answer_soa(data)
                if r:
                    sock.sendto(r, self.client_address)

        class Tcp(socketserver.BaseRequestHandler):
            def handle(self):
                outer.serve(self.request)

        class TcpServer(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, *_):
                pass  # the other side closed: what many scripts are about
        self.udp = socketserver.ThreadingUDPServer(('127.0.0.1', self.port), Udp)
        self.tcp = TcpServer(('127.0.0.1', self.port), Tcp)
        for s in (self.udp, self.tcp):
            threading.Thread(target=s.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()

    def stop(self):
        self.stopping = True
        for s in (self.udp, self.tcp):
            s.shutdown()
            s.server_close()

    def parse(self, data):
        return dns.message.from_wire(data, keyring=self.key.ring() if self.key else None, ignore_trailing=True)

    def answer_soa(self, data):
        self.probes += 1
        q = self.parse(data)
        r = dns.message.make_response(q)
        r.flags |= dns.flags.AA
        r.answer.append(zone_records(self.text)[0])
        return self.probe_script(r.to_wire()) if self.probe_script else r.to_wire()

    def serve(self, sock):
        sock.settimeout(30)
        while not self.stopping:
            head = self.read(sock, 2)
            if not head:
                return
            data = self.read(sock, struct.unpack('!H', head)[0])
            q = self.parse(data)
            if q.edns >= 0 and not self.edns:
                q.use_edns(-1)
                t = Transfer(q, sock, self)
                t.send(t.message([], rcode=dns.rcode.FORMERR))
                return
            if q.question[0].rdtype == dns.rdatatype.IXFR:
                self.increments += 1
                t = Transfer(q, sock, self)
                (self.ixfr_script or rcode(dns.rcode.NOTIMP))(t)
                return
            if q.question[0].rdtype != dns.rdatatype.AXFR:
                wire = self.answer_soa(data)
                sock.sendall(struct.pack('!H', len(wire or b'')) + (wire or b''))
                continue
            self.transfers += 1
            t = Transfer(q, sock, self)
            if self.script:
                self.script(t)
                return
            if self.key:
                m = dns.message.make_response(q)
                m.flags |= dns.flags.AA
                m.answer = [t.soa, *t.rest, t.soa]
                t.send(m)
            else:
                t.send(t.good())

    @staticmethod
    def read(sock, n):
        data = b''
        while len(data) < n:
            part = sock.recv(n - len(data))
            if not part:
                return b''
            data += part
        return data


# ------------------------------------------------------------------ scripts

def with_header(t, **changes):
    m = t.good()
    for k, v in changes.items():
        if k == 'flags':
            m.flags ^= v
        else:
            setattr(m, k, v)
    t.send(m)


def no_final_soa(t):
    t.send(t.message([t.soa, *t.rest]))


def other_final_serial(t):
    other = rr('@', 300, 'IN', 'SOA', t.soa[0].to_text().replace(f' {t.soa[0].serial} ', f' {t.soa[0].serial + 1} '))
    t.send(t.message([t.soa, *t.rest, other]))


def other_final_rdata(t):
    t.send(t.message([t.soa, *t.rest, rr('@', 300, 'IN', 'SOA', t.soa[0].to_text().replace('ns1', 'ns9'))]))


def soa_in_the_middle(t):
    t.send(t.message([t.soa, *t.rest[:3], t.soa, *t.rest[3:], t.soa]))


def no_first_soa(t):
    t.send(t.message([*t.rest, t.soa]))


def outside_record(t):
    t.send(t.message([t.soa, *t.rest, rr('www.elsewhere.test.', 300, 'IN', 'A', '192.0.2.66'), t.soa]))


def parent_record(t):
    t.send(t.message([t.soa, *t.rest, rr('test.', 300, 'IN', 'NS', 'evil.test.'), t.soa]))


def chaos_class(t):
    t.send(t.message([t.soa, *t.rest, rr('odd', 300, 'CH', 'TXT', 'chaos'), t.soa]))


def second_soa(t):
    t.send(t.message([t.soa, *t.rest, rr('sub2', 300, 'IN', 'SOA', 'a. b. 1 2 3 4 5'), t.soa]))


def no_ns(t):
    rest = [r for r in t.rest if not (r.rdtype == dns.rdatatype.NS and r.name == ORIGIN)]
    t.send(t.message([t.soa, *rest, t.soa]))


def cname_and_more(t):
    t.send(t.message([t.soa, *t.rest, rr('www', 300, 'IN', 'CNAME', 'mail.example.test.'), t.soa]))


def two_cnames(t):
    t.send(t.message([t.soa, *t.rest, rr('alias', 300, 'IN', 'CNAME', 'mail.example.test.'), t.soa]))


def below_dname(t):
    t.send(t.message([t.soa, *t.rest, rr('d', 300, 'IN', 'DNAME', 'x.test.'), rr('a.d', 300, 'IN', 'A', '192.0.2.1'), t.soa]))


def wrong_id(t):
    with_header(t, id=t.query.id ^ 1)


def not_a_response(t):
    with_header(t, flags=dns.flags.QR)


def truncated_flag(t):
    with_header(t, flags=dns.flags.TC)


def wrong_opcode(t):
    m = t.good()
    m.set_opcode(dns.opcode.STATUS)
    t.send(m)


def wrong_question(t):
    m = t.good()
    m.question = [dns.rrset.RRset(dns.name.from_text('other.test'), 1, dns.rdatatype.AXFR)]
    t.send(m)


def rcode(code):
    def script(t):
        t.send(t.message([], rcode=code))
    script.__name__ = 'rcode_' + dns.rcode.to_text(code).lower()
    return script


def empty_answer(t):
    t.send(t.message([]))


def only_soa(t):
    t.send(t.message([t.soa]))


def closes_at_once(t):
    t.sock.close()


def garbage(t):
    t.send(bytes(range(256)) * 4)


def short_header(t):
    t.send(b'\x00\x01\x02')


def zero_length(t):
    t.sock.sendall(b'\x00\x00' * 100)


def length_too_long(t):
    wire = t.good().to_wire(max_size=65535)
    t.sock.sendall(struct.pack('!H', len(wire) + 500) + wire)
    t.sock.shutdown(socket.SHUT_WR)
    time.sleep(0.2)


def length_too_short(t):
    wire = t.good().to_wire(max_size=65535)
    t.sock.sendall(struct.pack('!H', len(wire) - 20) + wire)


def counts_lie(t):
    wire = bytearray(t.good().to_wire(max_size=65535))
    wire[6:8] = struct.pack('!H', struct.unpack('!H', wire[6:8])[0] + 7)
    t.send(bytes(wire))


def trailing_octets(t):
    t.send(t.good().to_wire(max_size=65535) + b'extra')


def more_behind_the_end(t):
    t.send(t.message([t.soa, *t.rest, t.soa, rr('late', 300, 'IN', 'A', '192.0.2.1')]))


def compression_loop(t):
    wire = t.message([]).to_wire()
    wire = wire[:6] + b'\x00\x01' + wire[8:] + struct.pack('!H', 0xc000 | len(wire)) + b'\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04\x01\x02\x03\x04'
    t.send(wire)


def bad_rdata(t):
    good = t.message([t.soa, rr('x', 300, 'IN', 'A', '192.0.2.1')]).to_wire()
    t.send(good.replace(b'\x00\x04\xc0\x00\x02\x01', b'\x00\x03\xc0\x00\x02'))


def endless(t):
    t.send(t.message([t.soa]))
    i = 0
    while i < 100000:
        t.send(t.message([rr(f'e{k}', 300, 'IN', 'TXT', '"' + 'x' * 200 + '"') for k in range(i, i + 200)], question=False))
        i += 200


def trickle(t):
    wire = t.good().to_wire(max_size=65535)
    t.sock.sendall(struct.pack('!H', len(wire)))
    for octet in wire[:10]:
        t.sock.sendall(bytes([octet]))
        time.sleep(0.3)


def silent(t):
    time.sleep(8)


def rcode_in_a_later_message(t):
    t.send(t.message([t.soa, *t.rest[:3]]), t.message([], question=False, rcode=dns.rcode.SERVFAIL))


def empty_second_message(t):
    t.send(t.message([t.soa, *t.rest[:3]]), t.message([], question=False), t.message([*t.rest[3:], t.soa], question=False))


def other_id_in_a_later_message(t):
    m = t.message([*t.rest[3:], t.soa], question=False)
    m.id ^= 1
    t.send(t.message([t.soa, *t.rest[:3]]), m)


def other_question_in_a_later_message(t):
    m = t.message([*t.rest[3:], t.soa])
    m.question = [dns.rrset.RRset(dns.name.from_text('other.test'), 1, dns.rdatatype.AXFR)]
    t.send(t.message([t.soa, *t.rest[:3]]), m)


def two_questions(t):
    m = t.good()
    m.question = [*m.question, dns.rrset.RRset(dns.name.from_text('other.test'), 1, dns.rdatatype.AXFR)]
    t.send(m)


def records_in_the_wrong_section(t):
    m = t.message([])
    m.authority = [t.soa, *t.rest, t.soa]
    t.send(m)


def raw(t, owner, rdtype, rdata, rdclass=1, count=1):
    """A good transfer in three messages, and in the middle one `count` records that no library would make."""
    one = owner + struct.pack('!HHIH', rdtype, rdclass, 300, len(rdata)) + rdata
    head = t.message([], question=False).to_wire()
    t.send(t.message([t.soa, *t.rest]), head[:6] + struct.pack('!H', count) + head[8:] + one * count, t.message([t.soa], question=False))


def below(label):
    return bytes([len(label)]) + label + ORIGIN.to_wire()


def meta_type(t):
    raw(t, below(b'm'), 255, b'')


def opt_as_a_record(t):
    raw(t, below(b'o'), 41, b'')


def tsig_as_a_record(t):
    raw(t, below(b't'), 250, b'\x00' * 30)


def class_any(t):
    raw(t, below(b'c'), 1, b'\xc0\x00\x02\x01', rdclass=255)


def class_none(t):
    raw(t, below(b'c'), 1, b'\xc0\x00\x02\x01', rdclass=254)


def label_type(t):
    raw(t, b'\x41abc' + ORIGIN.to_wire(), 1, b'\xc0\x00\x02\x01')


def owner_of_256_octets(t):
    raw(t, below(b'x' * 63) [:64] * 4 + ORIGIN.to_wire(), 1, b'\xc0\x00\x02\x01')


def name_leaves_its_rdata(t):
    raw(t, below(b'n'), 2, b'\x3fabc')


def pointer_behind_the_message(t):
    raw(t, b'\xff\xff', 1, b'\xc0\x00\x02\x01')


def octets_behind_a_name(t):
    raw(t, below(b'n'), 2, b'\x00\x00')


def short_soa(t):
    raw(t, ORIGIN.to_wire(), 6, b'\x00\x00' + bytes(19))


def text_that_ends_too_early(t):
    raw(t, below(b't'), 16, b'\xffabc')


def nsec3_hash_of_no_length(t):
    raw(t, below(b'0' * 32), 50, b'\x01\x00\x00\x05\x00\x00')


def bitmap_out_of_order(t):
    raw(t, below(b'b'), 47, b'\x00' + b'\x01\x01\x80' + b'\x00\x01\x80')


def svcb_out_of_order(t):
    raw(t, below(b's'), 64, b'\x00\x01\x00' + b'\x00\x04\x00\x04\xc0\x00\x02\x01' + b'\x00\x01\x00\x03\x02h2')


def apl_longer_than_an_address(t):
    raw(t, below(b'a'), 42, b'\x00\x01\x20\x05\xc0\x00\x02\x01\x01')


def too_many_in_one_set(t):
    t.send(t.message([t.soa, *t.rest]),
           *[t.message([rr('many', 300, 'IN', 'A', *[f'10.{i}.{k}.1' for k in range(250)])], question=False) for i in range(24)],
           t.message([t.soa], question=False))


def zeros_of_65535_octets(t):
    t.send(bytes(65535))


def stalls_before_the_end(t):
    t.send(t.message([t.soa, *t.rest]))
    time.sleep(4)


def resets_before_the_end(t):
    t.send(t.message([t.soa, *t.rest]))
    t.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    t.sock.close()


def older_serial(t):
    old = rr('@', 300, 'IN', 'SOA', t.soa[0].to_text().replace(f' {t.soa[0].serial} ', ' 1 '))
    t.send(t.message([old, *t.rest, old]))


# ---- increments: each is the answer to IXFR from serial 10; the primary's text has serial 12

def soa_with(t, serial, words=''):
    return rr('@', 300, 'IN', 'SOA', t.soa[0].to_text().replace(f' {t.soa[0].serial} ', f' {serial} ').replace('ns1.', words + 'ns1.'))


def step(t, start, end, gone, come):
    """One sequence: www moves to another address, and the version in TXT follows."""
    return [soa_with(t, start), www(gone), version(start), soa_with(t, end), www(come), version(end)]


def www(last):
    return rr('www', 300, 'IN', 'A', f'192.0.2.{last}')


def version(serial):
    return rr('@', 300, 'IN', 'TXT', f'"version {serial}"')


def two_steps(t):
    return [*step(t, 10, 11, 80, 81), *step(t, 11, 12, 81, 82)]


def increments(*make):
    """A script that sends the opening SOA, what the functions make of it, and the closing SOA."""
    def script(t):
        t.send(t.message([t.soa, *[r for f in make for r in f(t)], t.soa]))
    return script


def ixfr_without_end(t):
    t.send(t.message([t.soa, *two_steps(t)]))
    t.sock.shutdown(socket.SHUT_WR)


def ixfr_other_end(t):
    t.send(t.message([t.soa, *two_steps(t), soa_with(t, 12, words='x.')]))


def ixfr_more_behind(t):
    t.send(t.message([t.soa, *two_steps(t), t.soa, www(99)]))


def ixfr_lone_new_soa(t):
    t.send(t.message([t.soa]))
    t.sock.shutdown(socket.SHUT_WR)


def ixfr_cut(t):
    wire = t.message([t.soa, *two_steps(t), t.soa]).to_wire(max_size=65535)
    t.sock.sendall(struct.pack('!H', len(wire)) + wire[:len(wire) // 2])
    t.sock.shutdown(socket.SHUT_WR)


def ixfr_hangs_up(t):
    t.sock.shutdown(socket.SHUT_RDWR)


# name -> (script, words of the reason why the whole zone is fetched instead)
NOT_INCREMENTAL = {
    'gone is not there': (increments(lambda t: step(t, 10, 12, 79, 82)), 'www.example.test'),
    'gone with another TTL': (increments(lambda t: [soa_with(t, 10), rr('www', 60, 'IN', 'A', '192.0.2.80'), soa_with(t, 12), www(82)]), 'TTL'),
    'come is there already': (increments(lambda t: [soa_with(t, 10), soa_with(t, 12), www(80)]), 'www.example.test'),
    'come with another TTL': (increments(lambda t: [soa_with(t, 10), soa_with(t, 12), rr('www', 60, 'IN', 'A', '192.0.2.82')]), 'TTL'),
    'come twice': (increments(lambda t: [soa_with(t, 10), soa_with(t, 12), www(82), www(82)]), 'names a record twice'),
    'gone and come, but not there': (increments(lambda t: [soa_with(t, 10), www(79), soa_with(t, 12), www(79)]), 'www.example.test'),
    'gone twice': (increments(lambda t: [soa_with(t, 10), www(80), www(80), soa_with(t, 12), www(82)]), 'names a record twice'),
    'begins elsewhere': (increments(lambda t: step(t, 9, 12, 80, 82)), 'second SOA'),
    'a gap': (increments(lambda t: step(t, 10, 11, 80, 81), lambda t: step(t, 12, 13, 81, 82)), 'instead of 11'),
    'backwards': (increments(lambda t: step(t, 10, 9, 80, 82)), 'from serial 10 to 9'),
    'never at the goal': (increments(lambda t: step(t, 10, 11, 80, 81)), 'instead of 11'),
    'beyond the goal': (increments(lambda t: step(t, 10, 13, 80, 81)), 'instead of 13'),
    'takes the NS away': (increments(lambda t: [soa_with(t, 10), rr('@', 300, 'IN', 'NS', 'ns1.example.test.', 'ns2.sub.example.test.'), soa_with(t, 12)]), 'no NS'),
    'brings a CNAME beside': (increments(lambda t: [soa_with(t, 10), soa_with(t, 12), rr('www', 300, 'IN', 'CNAME', 'mail.example.test.')]), 'CNAME'),
    'outside the zone': (increments(lambda t: [soa_with(t, 10), soa_with(t, 12), rr('www.elsewhere.test.', 300, 'IN', 'A', '192.0.2.1')]), 'elsewhere.test'),
    'another class': (increments(lambda t: [soa_with(t, 10), soa_with(t, 12), rr('www', 300, 'CH', 'TXT', 'x')]), 'class'),
    'a foreign SOA': (increments(lambda t: [soa_with(t, 10), rr('sub2', 300, 'IN', 'SOA', 'a. b. 11 2 3 4 5'), soa_with(t, 12)]), 'not the zone'),
    'without end': (ixfr_without_end, 'before the closing SOA'),
    'another end': (ixfr_other_end, 'closing SOA is not'),
    'more behind the end': (ixfr_more_behind, 'behind the closing SOA'),
    'only a newer SOA': (ixfr_lone_new_soa, 'before the closing SOA'),
    'cut': (ixfr_cut, ''),
    'hangs up': (ixfr_hangs_up, 'closed'),
    'refused': (rcode(dns.rcode.REFUSED), 'REFUSED'),
    'not implemented': (rcode(dns.rcode.NOTIMP), 'NOTIMP'),
    'format error': (rcode(dns.rcode.FORMERR), 'FORMERR'),
    'empty': (empty_answer, 'no records'),
    'garbage': (garbage, ''),
    'wrong ID': (lambda t: with_header(t, id=t.query.id ^ 1), ''),
}

def flags(mask, byte=2):
    return lambda w: w[:byte] + bytes([w[byte] ^ mask]) + w[byte + 1:]


def probe_counts(an=1, ns=0):
    return lambda w: w[:6] + struct.pack('!HH', an, ns) + w[10:]


# What the answer to a SOA probe becomes, by UDP and TCP. None of it leads to a transfer.
PROBES = {
    'nothing': lambda w: None,
    'three octets': lambda w: w[:3],
    'a header': lambda w: w[:12],
    'the question alone': lambda w: w[:12 + len(ORIGIN.to_wire()) + 4],
    'cut in the owner': lambda w: w[:12 + len(ORIGIN.to_wire()) + 5],
    'cut before the serial': lambda w: w[:-20],
    'cut in the last number': lambda w: w[:-2],
    'no answer': lambda w: w[:6] + b'\x00\x00' + w[8:12 + len(ORIGIN.to_wire()) + 4],
    'SOA in the authority section': probe_counts(0, 1),
    'more records than are there': probe_counts(9),
    'octets behind it': lambda w: w + b'xyz',
    'a query': flags(0x80),
    'opcode NOTIFY': flags(0x20),
    'not authoritative': flags(0x04),
    'truncated': flags(0x02),
    'SERVFAIL': flags(0x02, 3),
    'REFUSED': flags(0x05, 3),
    'another ID': flags(0xff, 0),
    'another question': lambda w: w.replace(b'\x07example', b'\x07exemple', 1),
    'SOA of another name': lambda w: w.replace(b'\xc0\x0c\x00\x06', b'\xc0\x14\x00\x06', 1),
    'a TXT': lambda w: w.replace(b'\xc0\x0c\x00\x06', b'\xc0\x0c\x00\x10', 1),
    'class CH': lambda w: w.replace(b'\xc0\x0c\x00\x06\x00\x01', b'\xc0\x0c\x00\x06\x00\x03', 1),
    'owner in a circle': lambda w: w.replace(b'\xc0\x0c\x00\x06', struct.pack('!H', 0xc000 | w.index(b'\xc0\x0c\x00\x06')) + b'\x00\x06', 1),
    'zeros': lambda w: bytes(len(w)),
}

# name of the script -> words that last_error must have
KEPT_OLD = {
    no_final_soa: '', other_final_serial: '', other_final_rdata: '', soa_in_the_middle: '', no_first_soa: 'SOA',
    outside_record: 'elsewhere.test', parent_record: '', chaos_class: 'class', second_soa: 'SOA', no_ns: 'NS',
    cname_and_more: 'CNAME', two_cnames: 'CNAME', below_dname: 'DNAME', wrong_id: '', not_a_response: '',
    truncated_flag: '', wrong_opcode: '', wrong_question: '', rcode(dns.rcode.REFUSED): 'REFUSED',
    rcode(dns.rcode.NOTAUTH): 'NOTAUTH', rcode(dns.rcode.SERVFAIL): 'SERVFAIL', rcode(dns.rcode.NXDOMAIN): 'NXDOMAIN',
    empty_answer: '', only_soa: '', closes_at_once: '', garbage: '', short_header: '', zero_length: '',
    length_too_long: '', length_too_short: '', counts_lie: '', trailing_octets: '', more_behind_the_end: '',
    compression_loop: '', bad_rdata: '', endless: '', older_serial: '', trickle: '', silent: '',
    rcode_in_a_later_message: 'SERVFAIL', empty_second_message: 'no records', other_id_in_a_later_message: '',
    other_question_in_a_later_message: '', two_questions: '', records_in_the_wrong_section: '', meta_type: '', opt_as_a_record: '',
    tsig_as_a_record: '', class_any: '', class_none: 'class', label_type: '', owner_of_256_octets: '', name_leaves_its_rdata: '',
    pointer_behind_the_message: '', octets_behind_a_name: '', short_soa: '', text_that_ends_too_early: '', nsec3_hash_of_no_length: '',
    bitmap_out_of_order: '', svcb_out_of_order: '', apl_longer_than_an_address: '', too_many_in_one_set: 'at most 5000', zeros_of_65535_octets: '',
    stalls_before_the_end: '', resets_before_the_end: '',
}
