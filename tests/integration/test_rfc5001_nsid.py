"""NSID (RFC 5001): which server of many has answered?"""
import subprocess

import dns.rcode
import edns
from edns import NSID, ZONE


def test_the_name_is_given_to_who_asks(node):
    n = edns.imported(node(authd='server-id = "fra1.ns.example"'))
    for name, rdtype, tcp in ((ZONE, 'SOA', False), (ZONE, 'SOA', True), ('x.' + ZONE, 'A', False), ('elsewhere.test', 'A', False)):
        assert edns.options(edns.ask(n, name, rdtype, NSID, tcp=tcp))[NSID] == b'fra1.ns.example'
    assert NSID not in edns.options(edns.ask(n, ZONE, 'SOA')), 'section 2.2: only on request'
    assert n.ask('id.server', 'TXT', rdclass='CH').answer[0][0].strings == (b'fra1.ns.example',)


def test_dig_shows_it(node):
    n = edns.imported(node(authd='server-id = "fra1"'))
    out = subprocess.run(['dig', '@127.0.0.1', '-p', str(n.port), '+nsid', '+tries=1', ZONE, 'SOA'], capture_output=True, text=True,
                         timeout=30).stdout
    assert 'NSID: 66 72 61 31 ("fra1")' in out, out


def test_without_a_name_and_after_a_reload(node):
    n = edns.imported(node())
    assert NSID not in edns.options(edns.ask(n, ZONE, 'SOA', NSID))
    n.options['authd'] = 'server-id = "new"'
    n.write_config()
    assert edns.reload(n.authd)
    assert edns.options(edns.ask(n, ZONE, 'SOA', NSID))[NSID] == b'new'


def test_a_syncd_that_is_away_hides_nobody(node):
    """The SERVFAIL to a signed query says who sent it, too."""
    import zl
    n = edns.imported(node(authd='server-id = "fra1"'))
    n.syncd.kill()
    q = edns.query(ZONE, 'SOA', NSID)
    key = zl.Key()
    q.use_tsig(key.ring(), key.name, algorithm=key.algorithm)
    wire = edns.raw(n, q.to_wire())
    import dns.message
    r = dns.message.from_wire(wire)
    assert r.rcode() == dns.rcode.SERVFAIL and edns.options(r)[NSID] == b'fra1'
