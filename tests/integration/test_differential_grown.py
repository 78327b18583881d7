"""Zones inside one another, made at random, and any question: section by section as knot, nsd and bind9 answer.

Beside test_differential.py, which has zones of a known shape, the zones here grow without a plan: wildcards at every
depth with whatever they may own, aliases and DNAMEs over several zones, delegations with every kind of glue, empty
non-terminals, and data that a cut or a DNAME hides. COUNT and SEED: `make differential`.
"""
import collections
import os
import random

import dns.flags
import dns.message
import dns.name
import dns.rdatatype as T
from differences import Case, Reply, accepted
from signed_zones import Maker, Servers, absent, query, report, sign_knot, sign_ldns

SEED = int(os.environ.get('ZL_SEED', '1'))
COUNT = int(os.environ.get('ZL_DIFFERENTIAL', '4000'))  # comparisons in all
TYPES = ['A'] * 6 + ['AAAA', 'NS', 'SOA', 'MX', 'TXT', 'CNAME', 'DNAME', 'SRV', 'DS', 'DS', 'DNSKEY', 'NSEC', 'RRSIG', 'NSEC3',
                     'NSEC3PARAM', 'SVCB', 'HTTPS', 'TYPE65280', 'TYPE0', 'CAA']
LABELS = ['a', 'b', 'c', '*', 'w', 'x', 'n', 'sub', 'ns', 'deep', 'up', r'a\.b', r'\000', 'l' * 63, r'\200', '0' * 32]
BATCH = 64


class Grown(Maker):
    """A zone of random names; `all` are the zones that aliases may lead to."""

    def __init__(self, apex, seed, every):
        super().__init__(apex, seed)
        self.every = every
        self.lines = [f'@ SOA ns1 hostmaster 1 3600 600 864000 {self.r.choice([60, 300, 7200])}', '@ NS ns1', 'ns1 A 192.0.2.1']
        self.owned = {'@': 'data', 'ns1': 'data'}

    def name(self):
        """One that leaves room for an apex and a label more."""
        while True:
            name = '.'.join(self.r.choice(LABELS) for _ in range(self.r.choice([1, 1, 2, 2, 3, 4])))
            if len(name) < 170:
                return name

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
    PARENT: lambda p, z, t: sign_knot(p, z, t, ''),
    CHILD: lambda p, z, t: sign_knot(p, z, t, '    nsec3: on\n    nsec3-iterations: 0\n    nsec3-salt-length: 0\n'),
    GRANDCHILD: lambda p, z, t: sign_ldns(p, z, t),
    OTHER: lambda p, z, t: t,
    NSEC3: lambda p, z, t: sign_knot(p, z, t, '    nsec3: on\n    nsec3-iterations: 1\n    nsec3-opt-out: on\n    nsec3-salt-length: 0\n'),
}


def make_zones(seed):
    every = list(SIGN)
    return {z: Grown(z, seed * 100 + i, every).text(CHILDREN.get(z, ())) for i, z in enumerate(every)}


def question(r, names):
    zone = r.choice(list(names))
    name = r.choice(names[zone])
    if r.random() < 0.5:
        name = absent(r, name, dns.name.from_text(zone))
    return name, r.choice(TYPES), r.random() < 0.6


def test_any_question_to_any_zone(place, node, peer):
    servers = Servers(place, node, peer, make_zones(SEED), SIGN)
    r = random.Random(SEED)
    names = {z: sorted(every) for z, every in servers.world.inside.items()}
    wrong, rows, compared = [], collections.Counter(), 0
    while compared < COUNT:
        asked = [question(r, names) for _ in range(BATCH)]
        wires = []
        for i, (name, rdtype, do) in enumerate(asked):
            q = query(name, rdtype, do)
            q.id = i + 1
            q.flags = r.choice([0, dns.flags.RD, dns.flags.RD | dns.flags.CD | dns.flags.AD])
            wires.append(q.to_wire())
        ours = servers.us.ask_all(wires)
        theirs = {name: asker.ask_all(wires) for name, asker in servers.them.items()}
        for (name, rdtype, do), w in zip(asked, wires):
            mine = Reply(dns.message.from_wire(ours[w[:2]]))
            for peer_name, got in theirs.items():
                compared += 1
                c = Case(servers.world, name, rdtype, do, peer_name, mine, Reply(dns.message.from_wire(got[w[:2]])))
                explained = accepted(c)
                if c.fault or explained is None:
                    wrong.append(c)
                else:
                    rows.update(explained)
    print(f'{compared} comparisons, seed {SEED}, explained by rows {sorted(rows.items())}')
    assert not wrong, report(wrong, compared, SEED)
