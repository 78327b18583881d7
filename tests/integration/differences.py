"""What four servers say to one question, compared section by section, and the one table of what may differ.

The comparison knows the zones (World) and reads proofs by itself (Proofs): an answer of ours whose proof is not
complete is a fault even if every peer gives the same. Run as a program, this prints docs/differences.md.
"""
import base64

import dns.dnssec
import dns.flags
import dns.name
import dns.rcode
import dns.rdatatype as T
import dns.zone

HEX32 = bytes.maketrans(b'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', b'0123456789abcdefghijklmnopqrstuv')


def with_parents(owners, apex):
    """Every owner and every empty non-terminal above one."""
    origin = dns.name.from_text(apex)
    names = {origin}
    for name in owners:
        while name not in names:
            names.add(name)
            name = name.parent()
    return names


class World:
    """The zones that all servers have: texts as made and as signed."""

    def __init__(self, plain, signed):
        self.zones = {dns.name.from_text(z): z for z in plain}
        self.unsigned = {z for z in plain if plain[z] == signed[z]}
        self.inside, self.hashed, self.chains, self.records = {}, {}, {}, set()
        for z, text in plain.items():
            zone = dns.zone.from_text(text, origin=z, relativize=False, check_origin=False)
            self.inside[z] = with_parents(zone, z)  # every owner and every empty non-terminal
            self.records |= {(str(o).lower(), T.to_text(rd.rdtype), '', ttl, rd.to_digestable()) for o, ttl, rd in zone.iterate_rdatas()}
            zone = dns.zone.from_text(signed[z], origin=z, relativize=False, check_origin=False)
            self.hashed[z] = {o for o, _ in zone.iterate_rdatasets(T.NSEC3)}
            for _, _, rd in zone.iterate_rdatas(T.NSEC3PARAM):
                self.chains[z] = (rd.salt, rd.iterations, rd.algorithm)

    def zone_of(self, name, rdtype=T.A):
        """The zone that answers: the deepest, and for DS of an apex the one above it."""
        within = [o for o in self.zones if name.is_subdomain(o)]
        if rdtype == T.DS and name in within and len(within) > 1:
            within.remove(name)
        return self.zones[max(within, key=len)] if within else None

    def bare(self, zone, name):
        """Whether a name is in the zone, but owns nothing and no NSEC3, as opt-out allows."""
        chain = self.chains.get(zone)
        if chain is None or name not in self.inside[zone]:
            return False
        label = dns.dnssec.nsec3_hash(name, *chain).lower().encode()
        return dns.name.Name((label,) + dns.name.from_text(zone).labels) not in self.hashed[zone]

    def encloser(self, zone, name):
        """The longest part of `name` that is in the zone."""
        apex = dns.name.from_text(zone)
        while name not in self.inside[zone] and name != apex:
            name = name.parent()
        return name


def section_of(rrset, *rdatas):
    return {(str(rrset.name).lower(), T.to_text(rrset.rdtype), T.to_text(rrset.covers) if rrset.covers else '', rrset.ttl, rd.to_digestable())
            for rd in rdatas}


def section(m, which):
    return {x for rrset in getattr(m, which) for x in section_of(rrset, *rrset)}


class Reply:
    def __init__(self, m):
        self.m = m
        self.rcode = dns.rcode.to_text(m.rcode())
        self.aa = bool(m.flags & dns.flags.AA)
        self.do = bool(m.ednsflags & dns.flags.DO)
        self.answer, self.authority, self.additional = (section(m, s) for s in ('answer', 'authority', 'additional'))
        self.fault = ()  # once it is known: None, or what its proofs lack

    def types(self, which):
        return {t for _, t, _, _, _ in getattr(self, which)}


# ---------------------------------------------------------------- proofs

def bitmap(rdata):
    return {w * 256 + i * 8 + b for w, octets in rdata.windows for i, octet in enumerate(octets) for b in range(8) if octet & 0x80 >> b}


def star(encloser):
    return dns.name.Name((b'*',) + encloser.labels)


class Proofs:
    """What the NSEC and NSEC3 of one zone in an authority section show, by a reading of the RFCs that shares nothing
    with the servers'. check() gives None, or what is missing."""

    def __init__(self, world, zone, m):
        self.world, self.zone, self.apex, self.m = world, zone, dns.name.from_text(zone), m
        ours = {(r.name, r.covers) for r in m.authority if r.rdtype == T.RRSIG and r[0].signer == self.apex}
        self.nsec = [(r.name, r[0]) for r in m.authority if r.rdtype == T.NSEC and (r.name, T.NSEC) in ours]
        self.nsec3 = [(r.name.labels[0].lower(), r[0]) for r in m.authority if r.rdtype == T.NSEC3 and (r.name, T.NSEC3) in ours]

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
            h, end = self.hash(name), base64.b32encode(rd.next).translate(HEX32)
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

    def unprovable(self, encloser, name):
        """Opt-out may leave an empty non-terminal without NSEC3 (RFC 5155 7.1). Where the wildcard below the encloser
        that can be proven exists, nothing in the zone shows then that it does not stand for the name."""
        return self.world.encloser(self.zone, name) != encloser and self.at(star(encloser)) is not None

    def no_name(self, name):
        e = self.enclosed(name)
        if not e:
            return f'{name} may exist'
        if self.covered(star(e[0])) or (e[1] == 'opt-out' and self.unprovable(e[0], name)):
            return None
        return f'{star(e[0])} may exist'

    def no_type(self, name, rdtype):
        types = self.at(name)
        if types is not None:
            return f'{name} has the type' if rdtype in types or T.CNAME in types and rdtype not in (T.NSEC, T.RRSIG) else None
        e = self.enclosed(name)
        if not e:
            return f'{name} may exist'
        types = self.at(star(e[0]))
        return None if e[1] == 'opt-out' or (types is not None and rdtype not in types) else f'{star(e[0])} may exist'

    def no_ds(self, cut):
        types = self.at(cut)
        if types is None:
            return None if (self.enclosed(cut) or (0, 0))[1] == 'opt-out' else f'{cut} may have DS'
        return None if T.DS not in types and T.NS in types else f'{cut} has DS'


def alias_path(m, name, rdtype):
    """The names that the aliases of the answer lead to, and whether round in a circle."""
    path = [name]
    while rdtype != T.CNAME:
        name = next((r[0].target for r in m.answer if r.rdtype == T.CNAME and r.name == name), None)
        if name is None or name in path:
            return path, name is not None
        path.append(name)
    return path, False


def check(world, m, name, rdtype):
    """What the proofs of an answer with DO lack, whichever zones they are from; None: nothing."""
    for r in m.answer:  # expanded from a wildcard: RFC 4035 3.1.3.3, RFC 5155 7.2.6
        for sig in (r if r.rdtype == T.RRSIG else ()):
            closer = dns.name.Name(r.name.labels[-(sig.labels + 2):])
            if (sig.labels + 1 < len(r.name.labels) - (r.name.labels[0] == b'*')
                    and not Proofs(world, world.zones[sig.signer], m).covered(closer)):
                return f'{closer} may exist beside the wildcard'
    name = alias_path(m, name, rdtype)[0][-1]
    zone = world.zone_of(name, rdtype)
    if zone is None or zone in world.unsigned:
        return None
    p = Proofs(world, zone, m)
    if m.rcode() == dns.rcode.NXDOMAIN:
        return p.no_name(name)
    if any(r.rdtype == T.SOA for r in m.authority):
        return p.no_type(name, rdtype)
    for r in m.authority:
        if r.rdtype == T.NS and r.name != p.apex and not any(x.rdtype == T.DS for x in m.authority):
            return p.no_ds(r.name)
    return None


# ---------------------------------------------------------------- one question to one peer

CHAIN_MAX = 16  # aliases that we follow
FIELDS = ('rcode', 'aa', 'do', 'answer', 'authority', 'additional')


class Case:
    def __init__(self, world, name, rdtype, do, peer, ours, theirs):
        self.world, self.name, self.rdtype, self.do, self.peer, self.ours, self.theirs = world, name, rdtype, do, peer, ours, theirs
        self.zone = world.zone_of(name, T.from_text(rdtype))
        self.path, self.loops = alias_path(ours.m, name, T.from_text(rdtype))
        self.last = self.path[-1]
        self.leaves = any(world.zone_of(r[0].target, T.from_text(rdtype)) != self.zone for r in ours.m.answer if r.rdtype == T.CNAME)
        self.fault = self.check(ours)
        self.differ = [f for f in FIELDS if getattr(ours, f) != getattr(theirs, f)]

    def check(self, reply):
        if reply.fault == ():
            reply.fault = check(self.world, reply.m, self.name, T.from_text(self.rdtype)) if self.do else None
        return reply.fault

    @property
    def theirs_fault(self):
        return self.check(self.theirs)

    @property
    def cut(self):
        """The delegation that we refer to, or None."""
        if 'SOA' in self.ours.types('authority'):
            return None
        return next((r.name for r in self.ours.m.authority if r.rdtype == T.NS), None)

    def more(self, which):
        """What they say and we do not, but for what the first row explains."""
        more = getattr(self.theirs, which) - getattr(self.ours, which)
        if which == 'authority' and self.ours.answer and self.peer in ('nsd', 'bind9'):
            more = {x for x in more if not ('NS' in x[1:3] and dns.name.from_text(x[0]) in self.world.zones)}
        return more

    def less(self, which):
        return getattr(self.ours, which) - getattr(self.theirs, which)

    @property
    def proofs_only(self):
        """All that differs in the authority section is NSEC, NSEC3 and their signatures."""
        return all({'NSEC', 'NSEC3'} & set(x[1:3]) for w in (self.more('authority'), self.less('authority')) for x in w)

    @property
    def octet_0(self):
        """An NSEC or the name has an octet 0 in a label."""
        names = self.path + [x for m in (self.ours.m, self.theirs.m) for r in m.authority if r.rdtype == T.NSEC for x in (r.name, r[0].next)]
        return any(b'\0' in label for name in names for label in name.labels)

    @property
    def under_bare(self):
        """The name that is missing in the end, or the wildcard for it, lies where opt-out left an empty non-terminal
        without NSEC3 (RFC 5155 7.1)."""
        zone = self.world.zone_of(self.last, T.from_text(self.rdtype))
        if zone is None:
            return False
        encloser = self.world.encloser(zone, self.last)
        return self.world.bare(zone, encloser) or self.world.bare(zone, star(encloser))

    def __str__(self):
        head = f'{self.peer} {self.name} {self.rdtype} do={self.do}: {self.differ}; ours lacks: {self.fault}; theirs lacks: {self.theirs_fault}'
        apart = [f'{f}: ours {getattr(self.ours, f)}, theirs {getattr(self.theirs, f)}' for f in self.differ if f in FIELDS[:3]]
        for f in self.differ:
            if f not in FIELDS[:3]:
                for sign, a, b in (('-', self.ours, self.theirs), ('+', self.theirs, self.ours)):
                    apart += [f'{sign} {f} {r.name} {r.ttl} {T.to_text(r.rdtype)} {rd}'[:250] for r in getattr(a.m, f) for rd in r
                              if not section_of(r, rd) <= getattr(b, f)]
        return '\n'.join([head] + apart + ['ours whole:', str(self.ours.m)])


# ---------------------------------------------------------------- the table

def for_free(c):
    """Beside an answer any address or service record of our zones. In a referral what belongs to the zone that refers
    must be alike, but for addresses from wildcards and from other zones."""
    if not {x for x in c.ours.additional if x[1] != 'RRSIG'} <= c.world.records:
        return False
    if c.ours.answer:
        return True

    def elsewhere(x):
        return c.world.zone_of(dns.name.from_text(x[0])) != c.zone

    if c.cut and any(dns.name.from_text(x[0]).is_subdomain(c.cut) and not elsewhere(x) for x in c.less('additional')):
        return False  # required glue is not for free
    return all(elsewhere(x) or dns.name.from_text(x[0]) not in c.world.inside[c.zone] for x in c.more('additional')) and (
        c.peer != 'knot' or all(elsewhere(x) for x in c.less('additional')))


def ttl_apart(rrsets):
    return {x[:3] + x[4:] for x in rrsets}


# Which peers, which parts of the message this explains, when; what they do, and who is right.
TABLE = [
    ('nsd bind9', 'authority', lambda c: c.ours.answer and not c.less('authority') and not c.more('authority'),
     'adds the name servers of the zone to an answer',
     'both: RFC 1034 4.3.2 does not ask for them, and nobody needs them'),
    ('bind9', 'authority', lambda c: c.rdtype == 'SOA' and ttl_apart(c.ours.authority) == ttl_apart(c.theirs.authority),
     'gives the SOA of a negative answer a TTL of 0 where SOA was asked for (its option zero-no-soa-ttl)',
     'we: RFC 2308 3 says the lesser of TTL and MINIMUM'),
    ('knot nsd bind9', 'additional', for_free,
     'gives other records in the additional section, or fewer, where none is required',
     'both: RFC 1034 4.3.2 step 6, RFC 9460 4.1; what RFC 9471 3 requires in a referral must be alike'),
    ('knot bind9', 'rcode answer authority additional',
     lambda c: c.leaves and c.theirs.answer <= c.ours.answer and c.theirs.rcode == 'NOERROR',
     'follows an alias within its zone alone',
     'both: RFC 1034 4.3.2 step 3a goes back to step 2, which looks in all zones; a resolver asks again anyway'),
    ('knot nsd bind9', 'rcode answer authority additional',
     lambda c: (len(c.path) > CHAIN_MAX or c.ours.rcode == 'YXDOMAIN')
        and (c.theirs.answer < c.ours.answer or c.ours.answer < c.theirs.answer),
     'follows a chain of aliases without end (a DNAME that leads below itself) less far, or further',
     'both: RFC 1034 4.3.2 has no bound, every server needs one; ours is 16, or where names become too long (RFC 6672 2.2)'),
    ('bind9', 'rcode', lambda c: c.loops and c.theirs.rcode == 'SERVFAIL',
     'answers SERVFAIL to a circle of aliases, and gives it',
     'both: RFC 1034 3.6.2 leaves the answer to the circle open'),
    ('knot', 'rcode aa answer authority additional', lambda c: c.rdtype == 'TYPE0' and c.theirs.rcode == 'NOTIMP',
     'answers NOTIMP to type 0',
     'we: type 0 owns no records, and RFC 3597 3 makes no exception of it'),
    ('nsd', 'rcode aa answer authority additional', lambda c: c.rdtype == 'NSEC3' and c.theirs.rcode == 'NOERROR'
        and c.theirs.answer < c.ours.answer,
     'does not follow a CNAME where NSEC3 is asked for',
     'we: RFC 1034 4.3.2 step 3a; NSEC3 cannot stand beside a CNAME (RFC 5155 7.2.8)'),
    ('nsd', 'rcode aa answer authority additional', lambda c: c.rdtype in ('RRSIG', 'NSEC') and c.ours.answer < c.theirs.answer,
     'follows a CNAME in search of NSEC or RRSIG',
     'we: these may stand beside a CNAME, so it answers for itself (RFC 4035 2.5)'),
    ('knot', 'answer', lambda c: c.rdtype == 'RRSIG' and c.theirs.answer < c.ours.answer,
     'gives one of the signatures where RRSIG is asked for',
     'both: RFC 8482 4.1, and RFC 4035 3.1 leaves it open'),
    ('bind9', 'aa answer authority additional', lambda c: c.rdtype == 'NSEC' and not c.ours.aa and c.cut
        and {x[:3] for x in c.theirs.answer if x[1] == 'NSEC'} == {(str(c.cut).lower(), 'NSEC', '')},
     "gives the parent's NSEC at a cut where it is asked for",
     'we: RFC 4035 3.1.4.1 makes that exception for DS alone'),
    ('knot', 'aa answer authority', lambda c: c.under_bare and c.ours.rcode == 'NXDOMAIN' and not c.theirs.aa and not c.theirs.authority,
     'gives up, without AA and records, where opt-out left an empty non-terminal without NSEC3 and a wildcard is in the way of the proof',
     'we: RFC 5155 7.2.2 as far as the zone allows; the answer itself is known (bind9 does the same)'),
    ('knot nsd bind9', 'authority', lambda c: c.under_bare and c.proofs_only and not c.more('authority') and not c.theirs_fault,
     'leaves out that the wildcard is covered, where opt-out left that wildcard without NSEC3',
     'both: RFC 5155 7.2.5 wants what matches the wildcard, and there is none'),
    ('nsd', 'authority', lambda c: c.under_bare and c.proofs_only and c.theirs_fault,
     'does not take the closest encloser that can be proven, where opt-out left an empty non-terminal without NSEC3',
     'we: RFC 5155 7.2.1'),
    ('knot nsd', 'authority', lambda c: c.octet_0 and c.proofs_only and (c.theirs_fault or not c.less('authority')),
     'picks an NSEC that does not cover the name or the wildcard, or adds one, where names with an octet 0 are near',
     'we: RFC 4034 6.1, which sorts a name by its octets'),
    ('knot nsd', 'authority', lambda c: any(n.labels[0] == b'*' for n in c.path) and c.proofs_only and c.theirs_fault,
     'takes a name that begins with an asterisk for a wildcard of the zone, and does not show that it is not',
     'we: RFC 4592 2.3 and RFC 4035 3.1.3.3'),
    ('knot bind9', 'authority', lambda c: 'NSEC' in c.ours.types('authority') and not c.more('authority') and c.theirs_fault,
     'shows that a wildcard that owns nothing exists, but not that it owns nothing',
     'we: RFC 4035 3.1.3.4'),
    ('nsd', 'authority', lambda c: 'NSEC3' in c.ours.types('authority') and c.proofs_only and not c.more('authority') and c.theirs_fault,
     'leaves out the NSEC3 of the closest encloser, or of the wildcard, where a wildcard lacks the type',
     'we: RFC 5155 7.2.5'),
    ('nsd', 'authority', lambda c: not c.less('authority') and c.proofs_only,
     'proves more than is needed: the wildcard below a name that exists, or a name twice',
     'both: RFC 5155 7.2 names what must be there, not what may'),
    ('nsd', 'authority', lambda c: len(c.path) > 1 and c.proofs_only and c.theirs_fault,
     'lacks a part of the proof behind an alias, or gives an NSEC that does not cover the name',
     'we: RFC 4035 3.1.3, for each name and zone that the answer is from'),
]


def accepted(c):
    """The rows that explain all that differs; None if something is left."""
    left, rows = set(c.differ), []
    for i, (peers, fields, when, _, _) in enumerate(TABLE):
        if c.peer in peers.split() and left & set(fields.split()) and when(c):
            left -= set(fields.split())
            rows.append(i)
    return None if left else rows


def document():
    """docs/differences.md"""
    lines = [__doc_head__.strip(), '', '| Who | Where | What it does otherwise | Who is right, and by which RFC |', '| --- | --- | --- | --- |']
    return '\n'.join(lines + [f'| {peers.replace(" ", ", ")} | {fields.replace(" ", ", ")} | {what} | {right} |'
                              for peers, fields, _, what, right in TABLE]) + '\n'


__doc_head__ = """
# Where authd answers otherwise than Knot, NSD and BIND

The same signed zones are given to authd, Knot 3.2, NSD 4.6 and BIND 9.18, and the same questions; what comes back is
compared by rcode, AA, DO, answer, authority and additional section. What differs and is not in this table fails the
test, and so does an answer of authd whose NSEC or NSEC3 do not prove it. `make check` asks some thousands of
questions with fixed seeds, `make differential COUNT=1000000 SEED=1` a million over 20 other sets of zones.

The table is the one that the tests use (`tests/integration/differences.py`; that program prints this page).
"""

if __name__ == '__main__':
    print(document(), end='')
