"""Padding (RFC 7830) in blocks of 468 octets (RFC 8467 4.1), where nobody sees more than lengths."""
import re
import shutil
import socket
import struct
import subprocess

import certs
import dns.message
import dns.query
import edns
import pytest
import zl
from alone import read_exactly
from edns import COOKIE, NSID, PADDING, ZONE, ZONEVERSION

BLOCK = 468


@pytest.fixture
def n(node, place):
    cert, port = certs.Certificate(place / 'cert'), zl.free_port()
    key = zl.Key()
    n = node(authd=f'server-id = "fra1" listen-tls = {{"127.0.0.1@{port}"}} {cert.items()}', keys=[key])
    n.cert, n.tls, n.signs = cert, port, key
    return edns.imported(n, zl.small_zone(7, extra='\n'.join(f'big TXT "{i:04} {"x" * 80}"' for i in range(40))))


def tls(n, *queries):
    """Octets of the answers, on one connection."""
    with n.cert.context().wrap_socket(socket.create_connection(('127.0.0.1', n.tls), timeout=30), server_hostname=n.cert.name) as s:
        got = []
        for q in queries:
            w = q.to_wire()
            s.sendall(struct.pack('!H', len(w)) + w)
            length, = struct.unpack('!H', read_exactly(s, 2))
            got.append(read_exactly(s, length))
        return got


NAMES = [(ZONE, 'SOA'), ('www.' + ZONE, 'A'), ('x.' + ZONE, 'A'), ('sub.' + ZONE, 'NS'), ('big.' + ZONE, 'TXT'), ('elsewhere.test', 'A'),
         ('a-name-that-is-longer-than-others.' + ZONE, 'AAAA')]


def test_all_answers_have_one_of_few_lengths(n):
    queries = [edns.query(*what, (PADDING, bytes(i * 7)), *options) for i, what in enumerate(NAMES)
               for options in ((), (NSID,), (NSID, ZONEVERSION, (COOKIE, b'01234567')))]
    for q, wire in zip(queries, tls(n, *queries)):
        assert len(wire) % BLOCK == 0, q
        assert not any(edns.options(dns.message.from_wire(wire))[PADDING]), 'RFC 7830 3: zeros'
    assert {len(w) for w in tls(n, *(edns.query(*what, PADDING) for what in NAMES if what[0] != 'big.' + ZONE))} == {BLOCK}


def test_only_to_who_pads_and_only_by_tls(n):
    for wire in tls(n, edns.query(ZONE, 'SOA'), edns.query(ZONE, 'SOA', NSID)):
        assert PADDING not in edns.options(dns.message.from_wire(wire)) and len(wire) < BLOCK
    for tcp in (False, True):
        assert PADDING not in edns.options(edns.ask(n, ZONE, 'SOA', (PADDING, bytes(100)), tcp=tcp)), 'RFC 7830 6'


def test_a_signed_answer_fills_its_block_too(n):
    """syncd signs what authd has padded: the signature's length was counted in (RFC 8467 has the whole message in mind)."""
    for what in NAMES:
        q = edns.query(*what, PADDING)
        q.use_tsig(n.signs.ring(), n.signs.name, algorithm=n.signs.algorithm)
        wire, = tls(n, q)
        r = dns.message.from_wire(wire, keyring=n.signs.ring(), request_mac=q.mac)
        assert r.had_tsig and PADDING in edns.options(r) and len(wire) % BLOCK == 0, (what, len(wire))


@pytest.mark.skipif(not shutil.which('kdig'), reason='skipped: kdig is not installed')
def test_kdig_pads_and_is_padded(n):
    out = subprocess.run(['kdig', '@127.0.0.1', '-p', str(n.tls), f'+tls-ca={n.cert.crt}', f'+tls-hostname={n.cert.name}', '+retry=0',
                          '+padding=128', 'www.' + ZONE, 'A'], capture_output=True, text=True, timeout=30).stdout
    assert 'PADDING:' in out and re.search(rf'Received {BLOCK} B', out), out
