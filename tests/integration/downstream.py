"""A downstream that lies: what it sends on a connection, and what it must get for it.

Requests at an authority that serves example.test (serial 10) to 127.0.0.0/8, and closed.test to key right.test alone.
"""
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rdatatype
import dns.rrset
import dns.tsig
import zl

ZONE, CLOSED = 'example.test', 'closed.test'
ZONE_TEXT, CLOSED_TEXT = zl.small_zone(10), zl.small_zone(10, zone=CLOSED)

# What may come of a message: one of these, or several.
REFUSED, FORMERR, NOTAUTH, NOTIMP, SERVED, CURRENT, CLOSES = 'REFUSED', 'FORMERR', 'NOTAUTH', 'NOTIMP', 'served', 'current', 'closed'


def axfr(zone=ZONE, rdtype='AXFR', rdclass='IN'):
    return dns.message.make_query(zone, rdtype, rdclass)


def ixfr(have=10, soas=1, owner=ZONE, rdata=None, zone=ZONE):
    q = axfr(zone, 'IXFR')
    for _ in range(soas):
        soa = dns.rrset.from_text(owner + '.', 0, 'IN', 'SOA', rdata or f'. . {have} 0 0 0 0')
        q.authority.append(soa)
    return q


def wire(q):
    return q.to_wire()


def counted(q, qd=None, an=None, ns=None, ar=None):
    """The message with counts that are not so."""
    w = bytearray(q.to_wire())
    for at, n in ((4, qd), (6, an), (8, ns), (10, ar)):
        if n is not None:
            w[at:at + 2] = n.to_bytes(2, 'big')
    return bytes(w)


def header(q, flags):
    w = bytearray(q.to_wire())
    w[2] ^= flags
    return bytes(w)


def opcode(q, code):
    q.set_opcode(code)
    return q.to_wire()


def two_soas():
    """Not as an RRset, in which dnspython would see one."""
    w = ixfr(9).to_wire()
    soa = w[12 + len(dns.name.from_text(ZONE).to_wire()) + 4:]
    return w[:8] + b'\x00\x02' + w[10:] + soa


def with_soa_rdata(rdata, rdlen=None):
    w = axfr(rdtype='IXFR').to_wire()
    n = len(rdata) if rdlen is None else rdlen
    return w[:8] + b'\x00\x01' + w[10:] + b'\xc0\x0c\x00\x06\x00\x01\x00\x00\x00\x00' + n.to_bytes(2, 'big') + rdata


def loop_in_owner():
    w = axfr(rdtype='IXFR').to_wire()
    return w[:8] + b'\x00\x01' + w[10:] + (0xc000 | len(w)).to_bytes(2, 'big') + b'\x00\x06\x00\x01\x00\x00\x00\x00\x00\x00'


def loop_in_question():
    return b'\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\xfc\x00\x01'


def label_of_64():
    return b'\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00' + b'\x40' + b'x' * 64 + b'\x00\x00\xfc\x00\x01'


def name_of_256():
    return b'\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00' + (b'\x3f' + b'x' * 63) * 4 + b'\x00\x00\xfc\x00\x01'


def signed(key, zone=CLOSED, tamper=None, **options):
    q = axfr(zone)
    q.use_tsig(key.ring(), key.name, algorithm=key.algorithm, **options)
    w = q.to_wire()
    return tamper(w) if tamper else w


def at_time(key, seconds):
    """Signed at another time than now."""
    import time
    import types
    real = dns.message.time
    dns.message.time = types.SimpleNamespace(time=lambda: time.time() + seconds)
    try:
        return signed(key)
    finally:
        dns.message.time = real


def short_mac(key, n):
    """The MAC cut to n octets, and all lengths made to fit."""
    w = signed(key)
    mac = len(w) - 6 - 32
    rdlen = mac - 10 - len(dns.name.from_text(key.algorithm).to_wire()) - 2
    gone = 32 - n
    old = int.from_bytes(w[rdlen:rdlen + 2], 'big')
    return (w[:rdlen] + (old - gone).to_bytes(2, 'big') + w[rdlen + 2:mac - 2] + n.to_bytes(2, 'big')
            + w[mac:mac + n] + w[mac + 32:])


def tsig_of(key):
    return signed(key)[len(axfr(CLOSED).to_wire()):]


def two_tsigs(key):
    w = signed(key) + tsig_of(key)
    return w[:10] + b'\x00\x02' + w[12:]


def tsig_not_last(key):
    w = signed(key) + b'\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00'  # OPT
    return w[:10] + b'\x00\x02' + w[12:]


def tsig_in_answer(key):
    w = signed(key)
    return w[:6] + b'\x00\x01\x00\x00\x00\x00' + w[12:]


def notify(zone=ZONE, rdtype='SOA', rdclass='IN', soa=None, count=None):
    m = dns.message.make_query(zone, rdtype, rdclass)
    m.set_opcode(dns.opcode.NOTIFY)
    m.flags = dns.flags.AA | dns.opcode.to_flags(dns.opcode.NOTIFY)
    w = m.to_wire()
    if soa is not None:
        w = w[:6] + b'\x00\x01' + w[8:] + b'\xc0\x0c\x00\x06\x00\x01\x00\x00\x00\x00' + len(soa).to_bytes(2, 'big') + soa
    return w if count is None else w[:4] + count.to_bytes(2, 'big') + w[6:]


def cases(right, wrong):
    """name -> (octets of one message, what may come of it)."""
    unknown = zl.Key('unknown.test')
    forged = zl.Key(right.name)
    return {
        # ---- IXFR
        'IXFR without SOA': (wire(axfr(rdtype='IXFR')), {FORMERR}),
        'IXFR with two SOAs': (two_soas(), {FORMERR}),
        'IXFR, SOA of another name': (wire(ixfr(owner='other.test')), {FORMERR}),
        'IXFR, SOA of the parent': (wire(ixfr(owner='test')), {FORMERR}),
        'IXFR, an NS where the SOA belongs': (wire(ixfr()).replace(b'\xc0\x0c\x00\x06', b'\xc0\x0c\x00\x02', 1), {FORMERR}),
        'IXFR, no room for the SOA': (with_soa_rdata(b'\x00\x00\x00\x00'), {FORMERR}),
        'IXFR, oversize SOA': (with_soa_rdata(bytes(2 + 20) + b'x' * 4000), {FORMERR}),
        'IXFR, SOA of 60,000 octets': (with_soa_rdata(bytes(60000)), {FORMERR}),
        'IXFR, SOA shorter than it says': (with_soa_rdata(bytes(22), 400), {FORMERR}),
        'IXFR, owner in a circle': (loop_in_owner(), {FORMERR}),
        'IXFR from the future': (wire(ixfr(4000)), {CURRENT}),
        'IXFR from the same serial': (wire(ixfr(10)), {CURRENT}),
        'IXFR from a serial that never was': (wire(ixfr(3)), {SERVED}),
        'IXFR from half the circle away': (wire(ixfr(10 + (1 << 31))), {SERVED, CURRENT}),
        'IXFR of a closed zone': (wire(ixfr(9, owner=CLOSED, zone=CLOSED)), {REFUSED}),
        # ---- questions
        'AXFR with octets behind it': (wire(axfr()) + b'garbage', {FORMERR}),
        'AXFR, no question': (counted(axfr(), qd=0), {FORMERR}),
        'AXFR, two questions': (counted(axfr(), qd=2), {FORMERR}),
        'AXFR, two questions that are there': (counted(axfr(), qd=2) + wire(axfr())[12:], {FORMERR}),
        'AXFR, 65,535 questions': (counted(axfr(), qd=65535), {FORMERR}),
        'AXFR, records that are not there': (counted(axfr(), ar=7), {FORMERR}),
        'AXFR of class CH': (wire(axfr(rdclass='CH')), {REFUSED, NOTAUTH}),
        'AXFR of class ANY': (wire(axfr(rdclass='ANY')), {REFUSED, NOTAUTH, FORMERR}),
        'AXFR of class NONE': (wire(axfr(rdclass='NONE')), {REFUSED, NOTAUTH, FORMERR}),
        'AXFR of no zone': (wire(axfr('www.example.test')), {NOTAUTH, REFUSED}),
        'AXFR of the root': (wire(axfr('.')), {NOTAUTH, REFUSED}),
        'AXFR of a closed zone': (wire(axfr(CLOSED)), {REFUSED}),
        'AXFR, name in a circle': (loop_in_question(), {FORMERR}),
        'AXFR, label of 64': (label_of_64(), {FORMERR}),
        'AXFR, name of 256': (name_of_256(), {FORMERR}),
        'MAILB': (wire(axfr(rdtype='MAILB')), {NOTIMP, REFUSED, 'NOERROR'}),
        'AXFR as a response': (header(axfr(), 0x80), {CLOSES}),
        'AXFR with opcode 3': (header(axfr(), 0x18), {NOTIMP}),
        'AXFR with opcode 15': (header(axfr(), 0x78), {NOTIMP}),
        'an empty message': (b'', {CLOSES}),
        'half a header': (b'\x12\x34\x00', {CLOSES}),
        'a header and no more': (bytes(12), {FORMERR}),
        '65,535 octets of zeros': (bytes(65535), {FORMERR}),
        '65,535 octets of 0xff': (b'\xff' * 65535, {CLOSES}),
        # ---- signatures
        'signed by an unknown key': (signed(unknown), {NOTAUTH}),
        'signed by another of our keys': (signed(wrong), {REFUSED}),
        'signed with another secret': (signed(forged), {NOTAUTH}),
        'signed an hour ago': (at_time(right, -3600), {NOTAUTH}),
        'signed in an hour': (at_time(right, 3600), {NOTAUTH}),
        'signed, one bit flipped': (signed(right, tamper=lambda w: w[:-20] + bytes([w[-20] ^ 1]) + w[-19:]), {NOTAUTH}),
        'signed, question changed': (signed(right, tamper=lambda w: w.replace(b'\x06closed', b'\x06CLOSED', 1)), {NOTAUTH}),
        'signed with 8 octets of MAC': (short_mac(right, 8), {FORMERR}),
        'signed with 16 octets of MAC': (short_mac(right, 16), {NOTAUTH}),
        'signed with no MAC': (short_mac(right, 0), {FORMERR, NOTAUTH}),
        'two signatures': (two_tsigs(right), {FORMERR}),
        'signature not last': (tsig_not_last(right), {FORMERR}),
        'signature among the answers': (tsig_in_answer(right), {FORMERR}),
        # ---- NOTIFY
        'NOTIFY from a stranger': (notify(), {REFUSED, NOTAUTH}),
        'NOTIFY of no zone': (notify('nowhere.test'), {REFUSED, NOTAUTH}),
        'NOTIFY of class CH': (notify(rdclass='CH'), {REFUSED, NOTAUTH, FORMERR}),
        'NOTIFY of type A': (notify(rdtype='A'), {REFUSED, NOTAUTH, FORMERR, NOTIMP}),
        'NOTIFY, no question': (notify(count=0), {FORMERR}),
        'NOTIFY, malformed SOA': (notify(soa=b'\x00\x00\x00'), {FORMERR, REFUSED, NOTAUTH}),
        'NOTIFY, SOA in a circle': (notify(soa=b'\xc0\x28' * 2 + bytes(20)), {FORMERR, REFUSED, NOTAUTH}),
        # ---- UPDATE
        'UPDATE by a stranger': (opcode(axfr(rdtype='SOA'), dns.opcode.UPDATE), {REFUSED, NOTAUTH}),
        'UPDATE, zone of type A': (opcode(axfr(rdtype='A'), dns.opcode.UPDATE), {FORMERR, REFUSED}),
        'UPDATE of class CH': (opcode(axfr(rdtype='SOA', rdclass='CH'), dns.opcode.UPDATE), {FORMERR, REFUSED, NOTAUTH}),
        'UPDATE, 65,535 records that are not there': (counted(dns.message.from_wire(opcode(axfr(rdtype='SOA'), dns.opcode.UPDATE)), ns=65535),
                                                      {FORMERR, REFUSED, NOTAUTH}),
    }
