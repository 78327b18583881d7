"""Signed zones, thousands of questions, four servers: section by section the same answer, or a row in ACCEPTED.

The zones are made from a seed (ZL_DIFF_SEED) and signed by ldns-signzone and by kzonesign, with NSEC, NSEC3 and
opt-out. Knot, NSD and BIND load them as they are; our node gets them by transfer. ZL_DIFF_CASES asks for more.
"""
import base64
import os
import random
import socket
import struct
import subprocess

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype as T
import dns.zone
import pytest
import zl

SEED = int(os.environ.get('ZL_DIFF_SEED', '1'))
CASES = int(os.environ.get('ZL_DIFF_CASES', '450'))  # a zone, each asked with and without DO
TYPES = ['A', 'AAAA', 'NS', 'SOA', 'MX', 'TXT', 'CNAME', 'DNAME', 'SRV', 'DS', 'DNSKEY', 'NSEC', 'RRSIG', 'NSEC3',
         'NSEC3PARAM', 'TYPE65280']


# ---------------------------------------------------------------- zones

class Maker:
    """The text of a zone with every shape that matters, in random numbers."""

    def __init__(self, apex, seed):
        self.r = random.Random(seed)
        self.apex = apex
        self.lines = [f'@ SOA ns1 hostmaster 1 3600 600 864000 {self.r.choice([60, 300, 7200])}', '@ NS ns1', '@ NS ns.far.invalid.',
                      '@ MX 10 mail', '@ TXT "apex"', 'ns1 A 192.0.2.1', 'ns1 AAAA 2001:db8::1', 'mail A 192.0.2.25']

    def label(self):
        return ''.join(self.r.choice('abcdefghijklmnopqrstuvwxyz0123456789') for _ in range(self.r.randrange(1, 9)))

    def deep(self, most=5):
        return '.'.join(self.label() for _ in range(self.r.randrange(1, most)))

    def add(self, *lines):
        self.lines += lines

    def ds(self):
        return f'{self.r.randrange(65536)} 13 2 {self.r.randbytes(32).hex()}'

    def hosts(self):
        for i in range(10):
            self.add(f'h{i}.{self.deep()} A 192.0.2.{i}')
        self.add('www A 192.0.2.80', 'www AAAA 2001:db8::80', 'www TXT "a" "b"', 'a.b.c.d.ent A 192.0.2.3', 'b.ent TXT "in between"',
                 'a\\000z TXT "octet 0"', 'a\\.b TXT "dot"', '_sip._udp SRV 0 0 5060 www', 'UPPER.Case A 192.0.2.5',
                 'x.' + '.'.join(['deep'] * 20) + ' A 192.0.2.6', f'{"l" * 63} A 192.0.2.7',
                 '0' * 32 + ' TXT "looks like a hash"', 'v' * 32 + ' TXT "so does this"')

    def wildcards(self):
        self.add('*.w A 192.0.2.99', '*.w TXT "star"', 'host.w A 192.0.2.98', 'a.ent.w A 192.0.2.97', '*.mx.w MX 5 mail', '*.cw CNAME www',
                 '*.cww CNAME q.w', '*.cgone CNAME no.such', '*.cns CNAME y.ins', 'x.*.entw A 192.0.2.96', '*.*.ww TXT "two stars"',
                 'z.w.*.mid TXT "a star within"', f'*.{self.deep()} A 192.0.2.95')

    def delegations(self):
        self.add('sec NS ns.sec', f'sec DS {self.ds()}', f'sec DS {self.ds()}', 'ns.sec A 192.0.2.53', 'ns.sec AAAA 2001:db8::53',
                 'ins NS ns.ins', 'ins NS ns1', 'ns.ins A 192.0.2.54', 'under.ns.ins A 192.0.2.66', 'sib NS ns.ins', 'far NS ns.far.invalid.',
                 'sec2 NS ns1', f'sec2 DS {self.ds()}', 'a.b.delent NS ns1', 'c.b.delent NS ns1', 'only.ins2 NS ns.far.invalid.',
                 f'deep.secent NS ns1', f'deep.secent DS {self.ds()}', 'i.mixed NS ns1', f's.mixed NS ns1', f's.mixed DS {self.ds()}')
        for _ in range(8):
            name = self.deep(4)
            self.add(f'{name}.dele NS ns1', f'{name}.dele NS ns.{name}.dele', f'ns.{name}.dele A 192.0.2.55')
            if self.r.random() < 0.4:
                self.add(f'{name}.dele DS {self.ds()}')

    def aliases(self):
        self.add('c1 CNAME c2', 'c2 CNAME www', 'cgone CNAME no.such.name', 'cent CNAME c.d.ent', 'cnodata CNAME mail', 'cout CNAME x.invalid.',
                 'cw1 CNAME q.w', 'cwx CNAME q.nope.host.w', 'csec CNAME y.sec', 'cins CNAME y.ins', 'cd CNAME x.d', 'cdn CNAME none.d',
                 'capex CNAME @', 'd DNAME dt', 'x.dt A 192.0.2.11', 'dw DNAME w', 'dout DNAME invalid.', 'dd DNAME d', 'd2.b.dent DNAME dt',
                 'd TXT "beside the DNAME"', 'long DNAME ' + '.'.join(c * 60 for c in 'abc'), 'dins DNAME ins', 'dcns DNAME cns')

    def text(self):
        for part in (self.hosts, self.wildcards, self.delegations, self.aliases):
            part()
        return f'$ORIGIN {self.apex}.\n$TTL 3600\n' + '\n'.join(self.lines) + '\n'


def run(*cmd, **kw):
    r = subprocess.run([str(c) for c in cmd], capture_output=True, text=True, timeout=120, **kw)
    assert r.returncode == 0, f'{cmd}: {r.stdout}{r.stderr}'
    return r.stdout


def sign_ldns(place, apex, text, *options):
    """With a ZSK and a KSK; gives the signed zone's text."""
    plain = place / f'{apex}.plain'
    plain.write_text(text)
    keys = [run('ldns-keygen', '-a', 'ECDSAP256SHA256', *k, apex, cwd=place).strip() for k in ((), ('-k',))]
    run('ldns-signzone', *options, '-f', place / f'{apex}.signed', plain, *keys, cwd=place)
    return (place / f'{apex}.signed').read_text()


def sign_knot(place, apex, text, policy):
    d = place / f'sign.{apex}'
    d.mkdir()
    (d / 'zone').write_text(text)
    (d / 'conf').write_text(f'server:\n  rundir: {d}\ndatabase:\n  storage: {d}\npolicy:\n  - id: p\n    algorithm: ecdsap256sha256\n{policy}'
                            f'zone:\n  - domain: {apex}\n    storage: {d}\n    file: zone\n    dnssec-signing: on\n    dnssec-policy: p\n'
                            f'    journal-content: none\n    zonefile-load: whole\n')
    run(zl.tool('kzonesign'), '-c', d / 'conf', '-o', d, apex)
    return (d / 'zone').read_text()  # it writes over its input


ZONES = {
    'plain.test': lambda p, z, t: t,
    'nsec.test': lambda p, z, t: sign_ldns(p, z, t),
    'nsec3.test': lambda p, z, t: sign_ldns(p, z, t, '-n', '-t', '3', '-s', 'c0ffee'),
    'optout.test': lambda p, z, t: sign_ldns(p, z, t, '-n', '-p'),
    'knsec.test': lambda p, z, t: sign_knot(p, z, t, ''),
    'knsec3.test': lambda p, z, t: sign_knot(p, z, t, '    nsec3: on\n    nsec3-iterations: 0\n    nsec3-salt-length: 8\n'),
    'koptout.test': lambda p, z, t: sign_knot(p, z, t, '    nsec3: on\n    nsec3-iterations: 10\n    nsec3-opt-out: on\n    nsec3-salt-length: 0\n'),
}

# ---------------------------------------------------------------- questions

def names_of(text, apex):
    """Every owner and every empty non-terminal."""
    zone = dns.zone.from_text(text, origin=apex, relativize=False, check_origin=False)
    origin = dns.name.from_text(apex)
    names = set()
    for name in zone.nodes:
        while name != origin:
            names.add(name)
            name = name.parent()
    names.add(origin)
    return sorted(names)


def absent(r, name, apex):
    """A name near `name` that is probably not there."""
    kind = r.randrange(6)
    label = ''.join(r.choice('abcdefghijklmnopqrstuvwxyz0123456789-') for _ in range(r.randrange(1, 12))).encode()
    if kind == 0 or name == apex or len(name.labels) + 3 > 100:
        labels = (label,) + name.labels
    elif kind == 1:
        labels = (label, b'x') + name.labels
    elif kind == 2:  # just behind, in canonical order
        labels = ((name.labels[0] + b'\0')[:63],) + name.labels[1:]
    elif kind == 3:  # just in front
        labels = (name.labels[0][:-1] or b'!',) + name.labels[1:]
    elif kind == 4:
        labels = (b'*',) + name.labels
    else:
        labels = (label,) + name.labels[1:]
    try:
        return dns.name.Name(labels)
    except dns.name.NameTooLong:
        return dns.name.Name((label,) + apex.labels)


def questions(plain, signed, apex, seed, count):
    r = random.Random(seed)
    names = names_of(plain, apex)
    hashes = sorted(set(names_of(signed, apex)) - set(names))
    origin = dns.name.from_text(apex)
    asked = set()
    for name in names:  # each name once with what it most likely has, then anything
        asked.add((name, 'A'))
        asked.add((name, 'DS'))
    asked |= {(name, t) for name in hashes[:5] for t in TYPES}
    while len(asked) < count:
        name = r.choice(names)
        asked.add((absent(r, name, origin) if r.random() < 0.6 else name, r.choice(TYPES)))
    asked = sorted(asked)
    r.shuffle(asked)
    return asked


class Asker:
    """One TCP connection to one server."""

    def __init__(self, port):
        self.port, self.s = port, None

    def ask(self, wire):
        for attempt in (0, 1):
            try:
                if self.s is None:
                    self.s = socket.create_connection(('127.0.0.1', self.port), timeout=10)
                self.s.sendall(struct.pack('!H', len(wire)) + wire)
                return dns.message.from_wire(self.read(struct.unpack('!H', self.read(2))[0]))
            except (ConnectionError, EOFError):
                self.s = None
                if attempt:
                    raise

    def read(self, n):
        data = b''
        while len(data) < n:
            more = self.s.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data


def section(m, which):
    return {(str(rrset.name).lower(), T.to_text(rrset.rdtype), T.to_text(rrset.covers) if rrset.covers else '', rrset.ttl, rdata.to_digestable())
            for rrset in getattr(m, which) for rdata in rrset}


class Reply:
    def __init__(self, m):
        self.m = m
        self.rcode = dns.rcode.to_text(m.rcode())
        self.aa = bool(m.flags & dns.flags.AA)
        self.do = bool(m.ednsflags & dns.flags.DO)
        self.answer, self.authority, self.additional = (section(m, s) for s in ('answer', 'authority', 'additional'))

    def types(self, which):
        return {t for _, t, _, _, _ in getattr(self, which)}

    def rrsets(self, which, *types):
        return {x for x in getattr(self, which) if x[1] in types or (x[1] == 'RRSIG' and x[2] in types)}


# ---------------------------------------------------------------- proofs

def bitmap(rdata):
    return {w * 256 + i * 8 + b for w, octets in rdata.windows for i, octet in enumerate(octets) for b in range(8) if octet & 0x80 >> b}


def star(encloser):
    return dns.name.Name((b'*',) + encloser.labels)


class Proofs:
    """What the NSEC and NSEC3 of an authority section show, by a reading of the RFCs that shares nothing with the
    servers'. check() gives None, or what is missing."""

    def __init__(self, apex, m):
        self.apex, self.m = apex, m
        self.nsec = [(r.name, r[0]) for r in m.authority if r.rdtype == T.NSEC]
        self.nsec3 = [(r.name.labels[0].lower(), r[0]) for r in m.authority if r.rdtype == T.NSEC3]

    def hash(self, name):
        rd = self.nsec3[0][1]
        return dns.dnssec.nsec3_hash(name, rd.salt, rd.iterations, rd.algorithm).lower().encode()

    def at(self, name):
        """The types at a name that is proven to exist; None: not proven."""
        for owner, rd in self.nsec:
            if owner == name:
                return bitmap(rd)
            if owner < name and rd.next.is_subdomain(name) and rd.next != name:
                return set()  # an empty non-terminal
        for owner, rd in self.nsec3:
            if owner == self.hash(name):
                return bitmap(rd)
        return None

    def covered(self, name):
        """True, or 'opt-out', if nothing of the chain is at the name."""
        for owner, rd in self.nsec:
            if owner < name and (name < rd.next or rd.next == self.apex) and not rd.next.is_subdomain(name):
                return True
        for owner, rd in self.nsec3:
            h = self.hash(name)
            end = base64.b32encode(rd.next).translate(bytes.maketrans(b'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', b'0123456789abcdefghijklmnopqrstuv'))
            if owner < h < end or (end <= owner and (h > owner or h < end)):
                return 'opt-out' if rd.flags & 1 else True
        return False

    def enclosed(self, name):
        """The closest encloser and how the next closer name is covered; None: not proven."""
        parent, closer = name.parent(), name
        while parent.is_subdomain(self.apex):
            exists = self.at(parent) is not None if self.nsec3 else any(x.is_subdomain(parent) for o, rd in self.nsec for x in (o, rd.next))
            if exists:
                how = self.covered(closer)
                return (parent, how) if how else None
            parent, closer = parent.parent(), parent
        return None

    def no_name(self, name):
        e = self.enclosed(name)
        if not e:
            return f'{name} may exist'
        return None if self.covered(star(e[0])) else f'{star(e[0])} may exist'

    def no_type(self, name, rdtype):
        types = self.at(name)
        if types is not None:
            return f'{name} has the type' if rdtype in types or T.CNAME in types and rdtype not in (T.NSEC, T.RRSIG) else None
        e = self.enclosed(name)
        if not e:
            return f'{name} may exist'
        types = self.at(star(e[0]))
        return None if e[1] == 'opt-out' or (types is not None and rdtype not in types) else f'{star(e[0])} may exist'

    def check(self, name, rdtype):
        m = self.m
        for r in m.answer:  # expanded from a wildcard: RFC 4035 3.1.3.3, RFC 5155 7.2.6
            for sig in (r if r.rdtype == T.RRSIG else ()):
                closer = dns.name.Name(r.name.labels[-(sig.labels + 2):])
                if sig.labels + 1 < len(r.name.labels) - (r.name.labels[0] == b'*') and not self.covered(closer):
                    return f'{closer} may exist beside the wildcard'
        for _ in m.answer:
            name = next((r[0].target for r in m.answer if r.rdtype == T.CNAME and r.name == name and rdtype != T.CNAME), name)
        if m.rcode() == dns.rcode.NXDOMAIN:
            return self.no_name(name)
        if any(r.rdtype == T.SOA for r in m.authority):
            return self.no_type(name, rdtype)
        for r in m.authority:
            if r.rdtype == T.NS and not any(x.rdtype == T.DS for x in m.authority) and r.name != self.apex:
                types = self.at(r.name)
                if types is None:
                    return None if (self.enclosed(r.name) or (0, 0))[1] == 'opt-out' else f'{r.name} may have DS'
                return None if T.DS not in types and T.NS in types else f'{r.name} has DS'
        return None


# ---------------------------------------------------------------- the table

FIELDS = ('rcode', 'aa', 'do', 'answer', 'authority', 'additional')


class Case:
    def __init__(self, zone, name, rdtype, do, peer, ours, theirs):
        self.zone, self.name, self.rdtype, self.do, self.peer, self.ours, self.theirs = zone, name, rdtype, do, peer, ours, theirs
        self.signed = do and zone != 'plain.test'
        self.fault = self.signed and self.check(ours)
        self.differ = [f for f in FIELDS if getattr(ours, f) != getattr(theirs, f)]

    def check(self, reply):
        return Proofs(dns.name.from_text(self.zone), reply.m).check(self.name, T.from_text(self.rdtype))

    @property
    def theirs_fault(self):
        return self.signed and not self.fault and self.check(self.theirs)

    def __str__(self):
        return f'{self.peer} {self.name} {self.rdtype} do={self.do}: {self.differ} {self.fault}\n--- ours\n{self.ours.m}\n--- {self.peer}\n{self.theirs.m}'


def without(rrsets, *types):
    return {x for x in rrsets if x[1] not in types and not (x[1] == 'RRSIG' and x[2] in types)}


def apex_ns(c, which):
    """Names of the zone's own name servers: whose records may be given for free."""
    return {x for x in getattr(c.theirs, which) - getattr(c.ours, which)
            if (which == 'authority' and x[0] == c.zone + '.' and 'NS' in x[1:3]) or (which == 'additional' and x[0].split('.')[0] == 'ns1')}


def cut(c):
    return [x[0] for x in c.ours.authority if x[1] == 'NS']


# Where peers differ from us and both are right, or the peer is wrong: which peer, which parts of the message this
# explains, when, and why.
ACCEPTED = [
    ('nsd bind9', 'authority additional', lambda c: c.ours.answer and 'SOA' not in c.ours.types('authority')
        and all(getattr(c.theirs, w) - apex_ns(c, w) == getattr(c.ours, w) for w in ('authority', 'additional')),
     'adds the name servers of the zone to an answer, which nobody needs (RFC 1034 4.3.2 does not ask for it)'),
    ('bind9', 'authority', lambda c: c.rdtype == 'SOA'
        and {x[:3] + x[4:] for x in c.ours.authority} == {x[:3] + x[4:] for x in c.theirs.authority},
     'gives the SOA a TTL of 0 where a SOA was asked for and is not there (its option zero-no-soa-ttl)'),
    ('bind9', 'additional', lambda c: c.theirs.additional <= c.ours.additional and cut(c)
        and not any(x[0].endswith(cut(c)[0]) for x in c.ours.additional - c.theirs.additional),
     'leaves addresses out of a referral that are not glue below the cut: optional (RFC 9471 3)'),
    ('nsd', 'answer authority additional rcode aa', lambda c: c.rdtype == 'NSEC3' and c.ours.types('answer') <= {'CNAME', 'DNAME', 'RRSIG'}
        and c.theirs.rcode == 'NOERROR' and not c.theirs.answer,
     'does not follow a CNAME where NSEC3 is asked for, though NSEC3 cannot stand beside one'),
    ('nsd', 'authority', lambda c: 'NSEC3' in c.ours.types('authority') | c.theirs.types('authority')
        and without(c.ours.authority, 'NSEC3') == without(c.theirs.authority, 'NSEC3') and len(c.theirs.authority) > len(c.ours.authority)
        and c.name.labels[0] == b'*',
     'adds an NSEC3 for a wildcard below a name that is a wildcard itself, and exists'),
    ('nsd', 'authority', lambda c: c.zone == 'koptout.test' and c.theirs_fault,
     'does not find the closest encloser that can be proven (RFC 5155 7.2.1) where opt-out left an empty non-terminal without NSEC3'),
    ('knot', 'authority', lambda c: b'\0' in b''.join(c.name.labels[:-3]) and c.theirs_fault,
     'picks an NSEC that does not cover a name with an octet 0, as it sorts such names otherwise than RFC 4034 6.1'),
    ('knot bind9', 'authority', lambda c: 'NSEC' in c.ours.types('authority') and c.theirs.authority < c.ours.authority and c.theirs_fault,
     'shows that a wildcard that owns nothing exists, but not that it owns nothing (RFC 4035 3.1.3.4)'),
    ('nsd', 'rcode aa answer authority additional', lambda c: c.rdtype in ('RRSIG', 'NSEC') and not c.ours.answer
        and 'CNAME' in c.theirs.types('answer'),
     'follows a CNAME in search of RRSIG or NSEC, which may stand beside it'),
    ('bind9', 'aa answer authority additional', lambda c: c.rdtype == 'NSEC' and not c.ours.aa and cut(c)
        and c.theirs.rrsets('answer', 'NSEC') == c.theirs.answer and {x[0] for x in c.theirs.answer} == {cut(c)[0]},
     "gives the parent's NSEC at a cut where it is asked for; RFC 4035 3.1.4.1 makes that exception for DS alone"),
    ('knot', 'answer', lambda c: c.rdtype == 'RRSIG' and c.theirs.answer < c.ours.answer,
     'gives one of the signatures where RRSIG is asked for, we give all'),
]


def accepted(c):
    left = set(c.differ)
    for peers, fields, when, _ in ACCEPTED:
        if c.peer in peers.split() and left & set(fields.split()) and when(c):
            left -= set(fields.split())
    return not left


# ---------------------------------------------------------------- tests

@pytest.fixture
def signed(place, node, peer):
    """All zones on all servers: the texts as made and as signed, askers by name, and our node."""
    if any(zl.tool(t) is None for t in ('ldns-signzone', 'ldns-keygen', 'kzonesign')):
        pytest.skip('skipped: ldnsutils or knot-dnssecutils are not installed')
    plain = {z: Maker(z, SEED).text() for z in ZONES}
    texts = {z: sign(place, z, plain[z]) for z, sign in ZONES.items()}
    peers = [peer(name) for name in ('knot', 'nsd', 'bind9')]
    n = node(level='info')
    for p in peers:
        for z, text in texts.items():
            p.write(z, text)
        p.start()
    for z in ZONES:
        n.secondary_of(z, peers[0])
    n.start()
    for z in ZONES:
        n.wait_serial(z, 1)
    return plain, texts, Asker(n.port), {p.name: Asker(p.port) for p in peers}, n


def query(name, rdtype, do, size=4096):
    return dns.message.make_query(name, rdtype, use_edns=0, want_dnssec=do, payload=size)


def test_four_servers_answer_alike(signed):
    plain, texts, us, them, _ = signed
    wrong, asked = [], 0
    for zone in ZONES:
        for name, rdtype in questions(plain[zone], texts[zone], zone, SEED, CASES):
            for do in (False, True):
                wire = query(name, rdtype, do).to_wire()
                ours = Reply(us.ask(wire))
                for peer_name, asker in them.items():
                    asked += 1
                    c = Case(zone, name, rdtype, do, peer_name, ours, Reply(asker.ask(wire)))
                    if c.fault or not accepted(c):
                        wrong.append(c)
    print(f'{asked} comparisons, seed {SEED}')
    assert not wrong, f'{len(wrong)} of {asked} differ (ZL_DIFF_SEED={SEED}):\n' + '\n\n'.join(map(str, wrong[:5]))


def test_what_is_cut_off_is_cut_at_rrsets(signed):
    """By UDP in little room: whole, or TC; each RRset has its signatures or is not there; nothing but the answer by
    TCP, from which addresses may be missing without TC."""
    plain, texts, us, _, n = signed
    cut_off = 0
    for zone in ZONES:
        for name, rdtype in questions(plain[zone], texts[zone], zone, SEED + 1, 0)[::4]:
            for size in (512, 700, 1000):
                q = query(name, rdtype, True, size)
                whole = us.ask(q.to_wire())
                wire, m = by_udp(q, n.port)
                assert len(wire) <= size
                for s in ('answer', 'authority', 'additional'):
                    assert section(m, s) <= section(whole, s), f'{m}\n{whole}'
                    have = {(r.name, r.rdtype, r.covers) for r in getattr(m, s)}
                    for r in getattr(whole, s):
                        if r.rdtype == T.RRSIG and (r.name, r.covers, T.NONE) in have and rdtype != 'RRSIG':
                            assert (r.name, T.RRSIG, r.covers) in have, f'{m}'
                if m.flags & dns.flags.TC:
                    cut_off += 1
                else:
                    assert section(m, 'answer') == section(whole, 'answer') and section(m, 'authority') == section(whole, 'authority'), f'{m}\n{whole}'
    assert cut_off > 20


def by_udp(q, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.sendto(q.to_wire(), ('127.0.0.1', port))
        wire = s.recv(65535)
        return wire, dns.message.from_wire(wire)
