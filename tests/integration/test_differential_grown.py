"""Zones inside one another, made at random, and any question: section by section as knot, nsd and bind9 answer.

Beside test_differential.py, which has zones of a known shape, the zones here grow without a plan: wildcards at every
depth with whatever they may own, aliases and DNAMEs over several zones, delegations with every kind of glue, empty
non-terminals, and data that a cut or a DNAME hides. COUNT and SEED: `make differential`.
"""
import os
import random
import socket
import struct

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype as T
import dns.zone
import pytest
import test_differential as d
import zl

SEED = int(os.environ.get('ZL_SEED', '1'))
COUNT = int(os.environ.get('ZL_DIFFERENTIAL', '4000'))  # comparisons in all
TYPES = ['A'] * 6 + ['AAAA', 'NS', 'SOA', 'MX', 'TXT', 'CNAME', 'DNAME', 'SRV', 'DS', 'DS', 'DNSKEY', 'NSEC', 'RRSIG', 'NSEC3',
                     'NSEC3PARAM', 'SVCB', 'HTTPS', 'TYPE65280', 'TYPE0', 'CAA']
LABELS = ['a', 'b', 'c', '*', 'w', 'x', 'n', 'sub', 'ns', 'deep', 'up', r'a\.b', r'\000', 'l' * 63, r'\200', '0' * 32]
BATCH = 64


class Grown(d.Maker):
    """A zone of random names; `all` are the zones that aliases may lead to."""

    def __init__(self, apex, seed, every):
        super().__init__(apex, seed)
        self.every = every
        self.lines = [f'@ SOA ns1 hostmaster 1 3600 600 864000 {self.r.choice([60, 300, 7200])}', '@ NS ns1', 'ns1 A 192.0.2.1']
        self.owned = {'@': 'data', 'ns1': 'data'}

    def name(self):
        labels = [self.r.choice(LABELS) for _ in range(self.r.choice([1, 1, 2, 2, 3, 4]))]
        return '.'.join(labels)

    def target(self):
        """Some name here or in another zone, there or not."""
        zone = self.r.choice([self.apex] * 3 + self.every + ['nowhere.invalid'])
        name = self.r.choice([self.name(), self.name(), 'ns1', self.r.choice(list(self.owned))])
        dot = '' if zone == '.' else '.'
        return f'{zone.rstrip(".")}.' if name == '@' else f'{name}.{zone.rstrip(".")}{dot}'

    def data(self, name):
        r = self.r
        for kind in r.sample(['A', 'AAAA', 'TXT', 'MX', 'SRV', 'SVCB', 'HTTPS'], r.randrange(1, 4)):
            self.add(f'{name} {kind} ' + {
                'A': f'192.0.2.{r.randrange(256)}', 'AAAA': f'2001:db8::{r.randrange(1, 9999):x}', 'TXT': '"text"', 'MX': f'10 {self.target()}',
                'SRV': f'0 0 {r.randrange(65536)} {r.choice([self.target(), "."])}', 'SVCB': f'0 {self.target()}',
                'HTTPS': f'1 {r.choice([self.target(), "."])} alpn=h2'}[kind])

    def delegation(self, name):
        r = self.r
        for _ in range(r.randrange(1, 4)):
            where = r.choice([f'ns.{name}', name, 'ns1', self.target(), f'ns.{self.name()}'])
            self.add(f'{name} NS {where}')
            if where in (f'ns.{name}', name):
                self.add(f'{where} A 192.0.2.{r.randrange(256)}')
                if r.random() < 0.5:
                    self.add(f'{where} AAAA 2001:db8::{r.randrange(1, 9999):x}')
        if r.random() < 0.4:
            self.add(f'{name} DS {self.ds()}')
        if r.random() < 0.3:
            self.add(f'hidden.{name} TXT "below a cut"')

    def hides(self, name):
        """A cut or DNAME above, below which nothing is put by chance: what servers make of it is no RFC's."""
        labels = name.split('.')
        return any(self.owned.get('.'.join(labels[i:])) in ('cut', 'dname') for i in range(1, len(labels)))

    def text(self, children=()):
        for child in children:
            short = child[:-len(self.apex) - 1] if self.apex != '.' else child
            self.owned[short] = 'cut'
            self.add(f'{short} NS ns1.{child}.', f'ns1.{short} A 192.0.2.77')
            if self.r.random() < 0.5:
                self.add(f'{short} DS {self.ds()}')
        for _ in range(self.r.randrange(10, 60)):
            name = self.name()
            kind = self.r.choice(['data'] * 4 + ['cname'] * 3 + ['cut', 'dname'])
            if name.startswith('*') and kind == 'cut' or r'a\.b' in name and kind == 'cut':
                kind = 'data'
            if name in self.owned or self.hides(name):
                continue
            if kind in ('cut', 'dname') and any(o.endswith('.' + name) for o in self.owned):
                continue
            if kind == 'dname' and name.startswith('*'):
                kind = 'cname'  # RFC 6672 3.3 leaves it open
            self.owned[name] = kind
            if kind == 'data':
                self.data(name)
            elif kind == 'cname':
                self.add(f'{name} CNAME {self.target()}')
            elif kind == 'dname':
                self.add(f'{name} DNAME {self.target()}')
            else:
                self.delegation(name)
        return f'$ORIGIN {self.apex.rstrip(".")}.\n$TTL 3600\n' + '\n'.join(dict.fromkeys(self.lines)) + '\n'


PARENT, CHILD, GRANDCHILD, OTHER, NSEC3 = 'up.test', 'sub.up.test', 'deep.w.sub.up.test', 'other.test', 'hashed.test'
CHILDREN = {PARENT: [CHILD], CHILD: [GRANDCHILD]}
SIGN = {
    PARENT: lambda p, z, t: d.sign_knot(p, z, t, ''),
    CHILD: lambda p, z, t: d.sign_knot(p, z, t, '    nsec3: on\n    nsec3-iterations: 0\n    nsec3-salt-length: 8\n'),
    GRANDCHILD: lambda p, z, t: d.sign_ldns(p, z, t),
    OTHER: lambda p, z, t: t,
    NSEC3: lambda p, z, t: d.sign_knot(p, z, t, '    nsec3: on\n    nsec3-iterations: 1\n    nsec3-opt-out: on\n    nsec3-salt-length: 0\n'),
}


def make_zones(seed):
    every = list(SIGN)
    return {z: Grown(z, seed * 100 + i, every).text(CHILDREN.get(z, ())) for i, z in enumerate(every)}


class Pipe(d.Asker):
    """Many questions on one connection; answers may come in any order."""

    def ask_all(self, wires):
        for attempt in (0, 1):
            try:
                if self.s is None:
                    self.s = socket.create_connection(('127.0.0.1', self.port), timeout=20)
                self.s.sendall(b''.join(struct.pack('!H', len(w)) + w for w in wires))
                got = {}
                for _ in wires:
                    w = self.read(struct.unpack('!H', self.read(2))[0])
                    got[w[:2]] = w
                return got
            except (ConnectionError, EOFError):
                self.s = None
                if attempt:
                    raise


def zone_of(name, rdtype='A'):
    """The zone that answers: the deepest, and for DS of an apex the one above it."""
    name = str(name).lower().rstrip('.')
    within = [z for z in SIGN if name == z or name.endswith('.' + z)]
    if rdtype == 'DS' and name in within and len(within) > 1:
        within.remove(name)
    return max(within, key=len, default=None)


def question(r, names):
    zone = r.choice(list(names))
    name = r.choice(names[zone])
    if r.random() < 0.5:
        name = d.absent(r, name, dns.name.from_text(zone))
    return name, r.choice(TYPES), r.random() < 0.6


# ---------------------------------------------------------------- the table

class Case(d.Case):
    def __init__(self, *a):
        super().__init__(*a)
        links = [(r[0].target, zone_of(r[0].target, self.rdtype)) for r in self.ours.m.answer if r.rdtype == T.CNAME]
        self.leaves = any(z != self.zone for _, z in links)
        self.loops = len({t for t, _ in links} | {self.name}) <= len(links)
        if self.zone == OTHER or self.leaves:  # unsigned, or proofs from several zones
            self.signed = self.fault = False


def more(c, section):
    return getattr(c.theirs, section) - getattr(c.ours, section)


def less(c, section):
    return getattr(c.ours, section) - getattr(c.theirs, section)


def optional(c):
    """Beside an answer any address or service record is for free (RFC 1034 4.3.2 step 6, RFC 9460 4.1), as long as a zone
    of ours has it. In a referral, what belongs to the zone that refers must be alike, but for addresses from wildcards
    and from other zones (we give what that zone says, a peer the parent's glue or nothing)."""
    plain = {x for x in c.ours.additional if x[1] != 'RRSIG'}
    if not plain <= RECORDS:
        return False
    if c.ours.answer:
        return True
    return all(zone_of(x[0]) != c.zone for x in less(c, 'additional')) and all(
        zone_of(x[0]) != c.zone or dns.name.from_text(x[0]) not in NAMES for x in more(c, 'additional'))


def last_fault(c, reply):
    """What is wrong with the proof in the zone where the aliases end."""
    target = [r[0].target for r in c.ours.m.answer if r.rdtype == T.CNAME][-1]
    zone = zone_of(target, c.rdtype)
    return zone not in (None, OTHER) and d.Proofs(dns.name.from_text(zone), reply.m).check(c.name, T.from_text(c.rdtype))


NAMES = set()  # every owner in any of the zones
RECORDS = set()  # every record, as section() gives them

# Beyond those of test_differential.py: which peer, which parts of the message, when, and why.
ACCEPTED = [
    ('knot bind9', 'rcode answer authority additional', lambda c: c.leaves and c.theirs.answer <= c.ours.answer and c.theirs.rcode == 'NOERROR',
     'follows an alias within its zone alone; RFC 1034 4.3.2 step 3a goes on in all'),
    ('knot', 'rcode aa answer authority additional', lambda c: c.rdtype == 'TYPE0' and c.theirs.rcode == 'NOTIMP',
     'does not take type 0 for one'),
    ('bind9', 'rcode', lambda c: c.loops and c.theirs.rcode == 'SERVFAIL',
     'answers SERVFAIL to a loop of aliases, beside the loop'),
    ('nsd bind9', 'authority', lambda c: c.ours.answer and not less(c, 'authority')
        and all('NS' in x[1:3] and x[0].rstrip('.') in SIGN for x in more(c, 'authority')),
     'adds the name servers of the zone to an answer'),
    ('knot nsd bind9', 'additional', lambda c: optional(c),
     'gives other records for free, or fewer'),
    ('nsd', 'authority', lambda c: c.leaves and c.theirs.authority < c.ours.authority,
     'lacks a part of the proof behind an alias into another zone'),
    ('nsd', 'authority', lambda c: c.leaves and not last_fault(c, c.ours) and last_fault(c, c.theirs),
     'proves something else behind an alias into another zone, as the NSEC of its apex'),
    ('nsd knot', 'authority', lambda c: not less(c, 'authority') and all({'NSEC', 'NSEC3'} & set(x[1:3]) for x in more(c, 'authority')) and not c.fault,
     'proves more than it needs to'),
    ('nsd', 'answer authority', lambda c: c.leaves and c.rdtype in ('NSEC', 'RRSIG') and c.ours.answer < c.theirs.answer,
     'follows a CNAME in search of NSEC or RRSIG, which may stand beside it'),
    ('nsd knot', 'authority', lambda c: c.theirs_fault, 'lacks a part of the proof'),
]


def accepted(c):
    left = set(c.differ)
    for peers, fields, when, _ in d.ACCEPTED + ACCEPTED:
        if c.peer in peers.split() and left & set(fields.split()) and when(c):
            left -= set(fields.split())
    return not left


@pytest.fixture
def grown(place, node, peer):
    if any(zl.tool(t) is None for t in ('ldns-signzone', 'ldns-keygen', 'kzonesign')):
        pytest.skip('skipped: ldnsutils or knot-dnssecutils are not installed')
    plain = make_zones(SEED)
    texts = {z: sign(place, z, plain[z]) for z, sign in SIGN.items()}
    peers = [peer(name) for name in ('knot', 'nsd', 'bind9')]
    n = node(level='info')
    for p in peers:
        for z, text in texts.items():
            p.write(z, text)
        p.start()
    for z in SIGN:
        n.secondary_of(z, peers[0])
    n.start()
    for z in SIGN:
        n.wait_serial(z, 1)
    return plain, n, peers


def test_any_question_to_any_zone(grown):
    plain, n, peers = grown
    r = random.Random(SEED)
    names = {z: d.names_of(t, z) for z, t in plain.items()}
    NAMES.update(*names.values())
    for z, text in plain.items():
        zone = dns.zone.from_text(text, origin=z, relativize=False, check_origin=False)
        RECORDS.update((str(o).lower(), T.to_text(rd.rdtype), '', ttl, rd.to_digestable()) for o, ttl, rd in zone.iterate_rdatas())
    us, them = Pipe(n.port), {p.name: Pipe(p.port) for p in peers}
    wrong, compared = [], 0
    while compared < COUNT:
        asked = [question(r, names) for _ in range(BATCH)]
        wires = []
        for i, (name, rdtype, do) in enumerate(asked):
            q = d.query(name, rdtype, do)
            q.id = i + 1
            q.flags = r.choice([0, dns.flags.RD, dns.flags.RD | dns.flags.CD | dns.flags.AD])
            wires.append(q.to_wire())
        ours = us.ask_all(wires)
        theirs = {name: pipe.ask_all(wires) for name, pipe in them.items()}
        for (name, rdtype, do), w in zip(asked, wires):
            mine = d.Reply(dns.message.from_wire(ours[w[:2]]))
            for peer, got in theirs.items():
                compared += 1
                c = Case(zone_of(name, rdtype), name, rdtype, do, peer, mine, d.Reply(dns.message.from_wire(got[w[:2]])))
                if c.fault or not accepted(c):
                    wrong.append(c)
    print(f'{compared} comparisons, seed {SEED}')
    assert not wrong, f'{len(wrong)} of {compared} differ (ZL_SEED={SEED}):\n' + '\n\n'.join(map(str, wrong[:5]))
