"""Signed zones, thousands of questions, four servers: section by section the same answer, or a row in the table of differences.

The zones are made from a seed and signed by ldns-signzone and by kzonesign, with NSEC, NSEC3 and opt-out.
"""
import os
import random
import socket

import dns.flags
import dns.message
import dns.name
import dns.rdatatype as T
import pytest
from differences import Case, Reply, accepted, document, section
from signed_zones import Maker, Servers, absent, query, report, sign_knot, sign_ldns
import zl

SEED = int(os.environ.get('ZL_SEED', '1'))
CASES = 450  # a zone, each asked with and without DO
TYPES = ['A', 'AAAA', 'NS', 'SOA', 'MX', 'TXT', 'CNAME', 'DNAME', 'SRV', 'DS', 'DNSKEY', 'NSEC', 'RRSIG', 'NSEC3',
         'NSEC3PARAM', 'TYPE65280']
ZONES = {
    'plain.test': lambda p, z, t: t,
    'nsec.test': lambda p, z, t: sign_ldns(p, z, t),
    'nsec3.test': lambda p, z, t: sign_ldns(p, z, t, '-n', '-t', '3', '-s', 'c0ffee'),
    'optout.test': lambda p, z, t: sign_ldns(p, z, t, '-n', '-p'),
    'knsec.test': lambda p, z, t: sign_knot(p, z, t, ''),
    'knsec3.test': lambda p, z, t: sign_knot(p, z, t, '    nsec3: on\n    nsec3-iterations: 0\n    nsec3-salt-length: 0\n'),
    'koptout.test': lambda p, z, t: sign_knot(p, z, t, '    nsec3: on\n    nsec3-iterations: 10\n    nsec3-opt-out: on\n    nsec3-salt-length: 0\n'),
}


def questions(world, zone, seed, count):
    r = random.Random(seed)
    origin = dns.name.from_text(zone)
    names = sorted(world.inside[zone])
    asked = set()
    for name in names:  # each name once with what it most likely has, then anything
        asked.add((name, 'A'))
        asked.add((name, 'DS'))
    asked |= {(name, t) for name in sorted(world.hashed[zone])[:5] for t in TYPES}
    while len(asked) < count:
        name = r.choice(names)
        asked.add((absent(r, name, origin) if r.random() < 0.6 else name, r.choice(TYPES)))
    asked = sorted(asked)
    r.shuffle(asked)
    return asked


@pytest.fixture
def signed(place, node, peer):
    return Servers(place, node, peer, {z: Maker(z, SEED).text() for z in ZONES}, ZONES)


def test_four_servers_answer_alike(signed):
    wrong, asked = [], 0
    for zone in ZONES:
        for name, rdtype in questions(signed.world, zone, SEED, CASES):
            for do in (False, True):
                wire = query(name, rdtype, do).to_wire()
                ours = Reply(signed.us.ask(wire))
                for peer_name, asker in signed.them.items():
                    asked += 1
                    c = Case(signed.world, name, rdtype, do, peer_name, ours, Reply(asker.ask(wire)))
                    if c.fault or accepted(c) is None:
                        wrong.append(c)
    print(f'{asked} comparisons, seed {SEED}')
    assert not wrong, report(wrong, asked, SEED)


def test_what_is_cut_off_is_cut_at_rrsets(signed):
    """By UDP in little room: whole, or TC; each RRset has its signatures or is not there; nothing but the answer by
    TCP, from which addresses may be missing without TC."""
    cut_off = 0
    for zone in ZONES:
        for name, rdtype in questions(signed.world, zone, SEED + 1, 0)[::4]:
            for size in (512, 700, 1000):
                q = query(name, rdtype, True, size)
                whole = signed.us.ask(q.to_wire())
                wire, m = by_udp(q, signed.node.port)
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


def test_the_table_is_in_the_manual():
    """docs/differences.md is what `python3 tests/integration/differences.py` prints."""
    assert (zl.ROOT / 'docs/differences.md').read_text() == document()
