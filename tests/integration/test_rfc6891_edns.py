"""EDNS itself (RFC 6891): versions, sizes, options nobody knows."""
import dns.flags
import dns.message
import dns.query
import dns.rcode
import edns
import pytest
import zl
from edns import COOKIE, NSID, ZONE


@pytest.fixture
def n(node):
    return edns.imported(node(authd='server-id = "fra1"'))


@pytest.mark.parametrize('version', [1, 2, 100, 255])
def test_a_later_version_is_told_which_one_we_have(n, version):
    """6.1.3: BADVERS, version 0; nothing of what the later version may mean is looked at."""
    q = edns.query(ZONE, 'SOA', NSID, (COOKIE, b'01234567'))
    q.ednsflags |= version << 16
    for tcp in (False, True):
        r = (dns.query.tcp if tcp else dns.query.udp)(q, '127.0.0.1', port=n.port, timeout=10)
        assert r.rcode() == dns.rcode.BADVERS and r.edns == 0 and not r.answer and not edns.options(r)


def test_without_edns_none_comes_back(n):
    r = dns.query.udp(dns.message.make_query(ZONE, 'SOA'), '127.0.0.1', port=n.port, timeout=10)
    assert r.edns == -1 and r.answer


def test_unknown_options_and_flags(n):
    """6.1.2 and RFC 8906 8.2: ignored, not echoed; the answer is the same."""
    plain = edns.ask(n, ZONE, 'SOA')
    for code in (0, 1, 2, 4, 5, 6, 7, 8, 13, 14, 16, 17, 18, 20, 100, 26946, 65001, 65535):
        r = edns.ask(n, ZONE, 'SOA', (code, b'\0\1\0\0'))
        assert r.rcode() == dns.rcode.NOERROR and r.answer == plain.answer and not edns.options(r), code
    q = edns.query(ZONE, 'SOA')
    q.ednsflags |= 0x7fff
    r = dns.query.udp(q, '127.0.0.1', port=n.port, timeout=10)
    assert r.answer == plain.answer and r.ednsflags & 0xffff == 0


def test_do_comes_back_as_it_was(n):
    for want_dnssec in (False, True):
        r = edns.ask(n, ZONE, 'SOA', want_dnssec=want_dnssec)
        assert bool(r.ednsflags & dns.flags.DO) == want_dnssec


def test_the_size_is_kept_to(node):
    n = edns.imported(node(), zl.small_zone(1, extra='\n'.join(f'big TXT "{i:04} {"x" * 80}"' for i in range(40))))
    for payload, most in ((0, 512), (400, 512), (512, 512), (1000, 1000), (1232, 1232), (4096, 1232), (65535, 1232)):
        q = edns.query('big.' + ZONE, 'TXT')
        wire = q.to_wire()
        at = wire.rindex(b'\0\0\x29') + 3
        wire = wire[:at] + payload.to_bytes(2, 'big') + wire[at + 2:]
        answer = edns.raw(n, wire)
        assert len(answer) <= most and dns.message.from_wire(answer).flags & dns.flags.TC, payload
    assert len(edns.ask(n, 'big.' + ZONE, 'TXT', tcp=True).answer[0]) == 40


def test_broken_opt_records_are_formerr(n):
    """Two of them (6.1.1), options that end beyond the record, an owner that is not the root."""
    good = edns.query(ZONE, 'SOA', (65001, b'ab')).to_wire()
    bare = dns.message.make_query(ZONE, 'SOA').to_wire()
    opt = good[len(bare):]
    assert opt[:3] == b'\0\0\x29'
    for what, arcount in ((opt + opt, 2), (opt[:-3] + b'\3' + opt[-2:], 1), (opt[:-3] + b'\1' + opt[-2:], 1), (b'\1a' + opt, 1)):
        wire = bare[:10] + arcount.to_bytes(2, 'big') + bare[12:] + what
        assert edns.raw(n, wire)[3] & 15 == dns.rcode.FORMERR
    assert edns.raw(n, bare[:10] + b'\0\1' + bare[12:] + opt)[3] & 15 == dns.rcode.NOERROR
