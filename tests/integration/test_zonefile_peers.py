"""Zone files read by us and by named-compilezone, ldns-read-zone and kzonecheck.

Each reader's records are compared in wire form, which dnspython makes of what it prints: so that
neither our text nor theirs is the judge of itself. kzonecheck prints no records; it must accept.
"""

import os
import pathlib
import shutil
import subprocess
import tarfile

import dns.name
import dns.rdata
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("ZL_BUILD", ROOT / "build/release"))
ZONECAT = BUILD / "tests/bin/zonecat"
SHARED = pathlib.Path(os.environ.get("ZL_SHARED_DATA", ROOT / "../shared/data"))
ORIGIN = "example."
HEAD = """$TTL 3600
@ IN SOA ns1 hostmaster 1 7200 3600 1209600 300
@ IN NS ns1
ns1 IN A 192.0.2.1
"""

# Syntax that all readers share, with a fault in none.
SYNTAX = {
    "parentheses": """$TTL 1h
@	IN	SOA	ns1 host\\.master (
		2026010101 ; serial
		2h 1h	; refresh, retry
		2w
		5m ) ; minimum ) (
	IN	NS	ns1
		NS	ns2.example.net.
ns1	300	IN	A	192.0.2.1
	300	IN	AAAA	2001:DB8::1
mx (
  IN
  MX ; preference
  10
  mail ) ; end
""",
    "ttl_units": """$TTL 1w2d3h4m5s
@ IN SOA ns1 h 1 1D 2H 3W 4M
 NS ns1
ns1 2d12h IN A 192.0.2.1
a 90 A 192.0.2.2
b A 192.0.2.3
$TTL 10
c A 192.0.2.4
d 0 A 192.0.2.4
e 2147483647 A 192.0.2.4
""",
    "last_ttl": """@ 77 IN SOA ns1 h 1 2 3 4 5
 NS ns1
ns1 A 192.0.2.1
a 90 A 192.0.2.2
b A 192.0.2.3
""",
    "class_and_ttl_order": HEAD + """a 5 IN A 192.0.2.1
b IN 6 A 192.0.2.1
c IN A 192.0.2.1
d 7 A 192.0.2.1
e A 192.0.2.1
f in 8 a 192.0.2.1
""",
    "owners": HEAD + """in A 192.0.2.1
a A 192.0.2.2
mx MX 10 @
 TXT "same owner"
	TXT "still the same"
* A 192.0.2.3
*.sub CNAME a
a\\.b A 192.0.2.4
a\\032c A 192.0.2.5
\\097\\098 A 192.0.2.6
UPPER.Case NS Ns1
\\@ A 192.0.2.7
under_score._tcp SRV 0 0 53 ns1
absolute.example. A 192.0.2.8
\\000\\255 A 192.0.2.9
""",
    "origins": HEAD + """$ORIGIN sub.example.
a A 192.0.2.1
$ORIGIN deeper.sub.example.
@ A 192.0.2.2
b CNAME @
$ORIGIN example.
c CNAME a.sub
""",
    "strings": HEAD + """a TXT plain
b TXT "with blanks ; ( )" second "third"
c TXT "quote \\" backslash \\\\ end"
d TXT \\065\\066 "\\000\\127\\255"
e TXT ""
f TXT "a" "" "b"
g TXT ( "one"
  two ; comment
  "three" )
h HINFO "PC" Linux
i TXT k=v "k=v w"
j TXT esc\\ aped\\;semi
""" + 'k TXT "' + "x" * 255 + '" "' + "y" * 255 + '"\n',
    "unknown_types": HEAD + """a TYPE65280 \\# 0
b TYPE65280 \\# 3 abCDef
c TYPE65280 \\# ( 4 01
 02 03 04 )
d TYPE1 \\# 4 c0000201
e A \\# 4 c0000202
f TYPE16 "text"
g MX \\# 3 000a00
""",
    "types": HEAD + """a A 192.0.2.255
 AAAA ::ffff:192.0.2.1
 CAA 0 issue "ca.example; policy=ev"
 NAPTR 100 50 "s" "z3950+I2L+I2C" "" _z3950._tcp
 SSHFP 4 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789
 TLSA 3 1 1 ( 0123456789abcdef0123456789abcdef
   0123456789abcdef0123456789abcdef )
 LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
 RP mbox txt
 AFSDB 1 afs
 KX 10 kx
 URI 10 1 "https://example.net/"
 EUI48 00-00-5e-00-53-2a
 EUI64 00-00-5e-ef-10-00-00-2a
 CERT 1 0 0 AAECAwQFBgcICQ==
 DHCID ( AAIBY2/AuCccgoJbsaxc Qc9TUapptP69lOjxfNuVAA2kjEA= )
 APL 1:192.0.2.0/24 !2:2001:db8::/32
 OPENPGPKEY AAECAwQF
 SVCB 1 svc alpn="h2,h3" port=8443 ipv4hint=192.0.2.1,192.0.2.2
 HTTPS 0 other
 ZONEMD 1 1 1 ( 000000000000000000000000000000000000000000000000
   000000000000000000000000000000000000000000000000 )
d DS 60485 8 2 ( D4B7D520E7BB5F0F67674A0CCEB1E3E0
   614B93C4F9E99B8383F6A1E4469DA50A )
 CDS 60485 8 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A
k DNSKEY 257 3 8 ( AwEAAagAIKlVZrpC6Ia7gEzahOR+9W29
  euxhJhVVLOyQbSEW0O8gcCjF ) ; key
n NSEC o.example. A MX RRSIG NSEC TYPE1234
 RRSIG NSEC 8 2 3600 20261231235959 20260101000000 60485 example. AAECAwQFBgcICQ==
h NSEC3PARAM 1 0 10 aabbccdd
q0k8t1m8q0k8t1m8q0k8t1m8q0k8t1m8 NSEC3 1 1 10 aabb ( 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG )
dn DNAME target
p PTR host
ch CNAME @
""",
}

# ldns wants the TTL before the class.
NOT_LDNS = {"class_and_ttl_order"}

# What of the peers only BIND knows.
BIND_ONLY = {
    "relative_origin": HEAD + "$ORIGIN sub\na A 192.0.2.1\n$ORIGIN lower\na A 192.0.2.1\n",
    "class_in_numbers": HEAD + "a CLASS1 TYPE1 192.0.2.1\n",
    "quotes_in_words": HEAD + 'a TXT k="v w" "a"b"c"\nb TXT (k="v w" z)\n',
    "nested_parentheses": HEAD + "a TXT ( a ( b\n) c\n)\n",
}

GENERATE = {
    "plain": "$GENERATE 1-10 host$ A 192.0.2.$\n",
    "step": "$GENERATE 0-250/50 h$ 60 IN A 192.0.2.$\n",
    "two": "$GENERATE 1-3 h$-$ CNAME c$.d$\n",
    "modifiers": "$GENERATE 250-260/5 x${0,4,X}o${0,0,o}x${1,0,x}d${-5,6} A 192.0.2.1\n",
    "nibbles": "$GENERATE 1-300/13 ${0,3,n}.x PTR p$\n$GENERATE 1-300/13 ${0,7,N} PTR p$\n",
    "negative": "$GENERATE 0-3 n${-1} A 192.0.2.1\n$GENERATE 0-3 x${-2,3,x}o${-2,3,o} A 192.0.2.1\n"
    "$GENERATE 0-1 r${-1,3,n} TXT x\n",
    "escapes": "$GENERATE 1-2 a$$b A 192.0.2.$\n$GENERATE 1-2 b\\$c$ A 192.0.2.1\n"
    "$GENERATE 1-2 y\\${+3} TXT x$\\$\n$GENERATE 1-2 z${+3} TXT x\n",
    "quoted": '$GENERATE 1-2 t$ TXT "hello $"\n$GENERATE 1-2 u$ MX "10 mx$"\n'
    '$GENERATE 1-2 v${0,3} TXT "\\"a $ b\\" c"\n',
    "comment_in_quotes": '$GENERATE 1-2 t$ TXT "x;y ( z"\n$GENERATE 1-2 u$ MX "( $ m ) ; c"\n',
    "apex_and_owner": 'a TXT "a"\n$GENERATE 1-2 @ TXT g$\n TXT "of a"\n',
    "origin": "$ORIGIN 2.0.192.in-addr.example.\n$GENERATE 1-254 $ PTR host-$.example.\n",
}

# kzonecheck takes \\256, and cuts a long string in two.
KNOT_ACCEPTS = {"ddd", "long_string"}

REFUSED = {
    "class": "a CH TXT x\n",
    "type": "a NOSUCHTYPE x\n",
    "address": "a A 192.0.2.256\n",
    "address_short": "a A 192.0.2\n",
    "v6": "a AAAA 1::2::3\n",
    "empty_label": "a..b A 192.0.2.1\n",
    "long_label": "a" * 64 + " A 192.0.2.1\n",
    "long_name": ("a" * 63 + ".") * 4 + " A 192.0.2.1\n",
    "unclosed_parenthesis": "a TXT ( x\n",
    "unclosed_quote": 'a TXT "x\n',
    "parenthesis": "a TXT x )\n",
    "ddd": "a\\256 A 192.0.2.1\n",
    "trailing": "a A 192.0.2.1 192.0.2.2\n",
    "missing": "a MX 10\n",
    "long_string": 'a TXT "' + "x" * 256 + '"\n',
    "unknown_length": "a TYPE65280 \\# 3 0102\n",
}


def need(tool):
    path = shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        pytest.skip(f"skipped: {tool} is not installed")
    return path


def run(*args):
    return subprocess.run([str(a) for a in args], capture_output=True, timeout=120, check=False)


def records(text):
    """The set of (owner, TTL, type, canonical RDATA) of lines "owner TTL IN TYPE RDATA"."""
    out = set()
    for line in text.splitlines():
        if not line.strip() or line.startswith(";"):
            continue
        owner, ttl, rclass, rtype, text_rdata = (line.split(None, 4) + [""])[:5]
        assert rclass == "IN"
        rdata = dns.rdata.from_text("IN", rtype, text_rdata, dns.name.root, False)
        name = dns.name.from_text(owner).canonicalize().to_text()
        out.add((name, int(ttl), int(rdata.rdtype), rdata.to_digestable(dns.name.root)))
    return out


def ours(path, origin=ORIGIN):
    got = run(ZONECAT, path, origin)
    assert got.returncode == 0, got.stderr.decode()
    lines = got.stdout.decode().splitlines()
    assert len(lines) == len(set(lines))
    return records(got.stdout.decode())


def bind(path, tmp_path, origin=ORIGIN):
    out = tmp_path / "bind.out"
    got = run(need("named-compilezone"), "-i", "none", "-k", "ignore", "-n", "ignore", "-m", "ignore",
              "-M", "ignore", "-S", "ignore", "-W", "ignore", "-r", "ignore", "-s", "full", "-o", out,
              origin, path)
    assert got.returncode == 0, got.stdout.decode() + got.stderr.decode()
    return records(out.read_text())


def ldns(path):
    got = run(need("ldns-read-zone"), path)
    assert got.returncode == 0, got.stderr.decode()
    return records(got.stdout.decode())


def knot_accepts(path, origin=ORIGIN):
    got = run(need("kzonecheck"), "-o", origin, path)
    return got.returncode == 0, got.stdout.decode() + got.stderr.decode()


def same(a, b):
    assert a - b == set(), "only we have these"
    assert b - a == set(), "only the peer has these"


@pytest.fixture
def zone(tmp_path):
    def put(text, name="zone", **kw):
        path = tmp_path / name
        path.write_text(text, **kw)
        return path

    return put


@pytest.mark.parametrize("case", list(SYNTAX) + list(BIND_ONLY))
def test_same_as_bind(zone, tmp_path, case):
    path = zone({**SYNTAX, **BIND_ONLY}[case])
    same(ours(path), bind(path, tmp_path))


@pytest.mark.parametrize("case", [c for c in SYNTAX if c not in NOT_LDNS])
def test_same_as_ldns(zone, case):
    path = zone("$ORIGIN " + ORIGIN + "\n" + SYNTAX[case])
    same(ours(path), ldns(path))


@pytest.mark.parametrize("case", SYNTAX)
def test_knot_accepts_too(zone, case):
    ok, text = knot_accepts(zone(SYNTAX[case]))
    assert ok, text


@pytest.mark.parametrize("case", GENERATE)
def test_generate_as_bind(zone, tmp_path, case):
    path = zone(HEAD + GENERATE[case])
    same(ours(path), bind(path, tmp_path))


@pytest.mark.parametrize("ending", ["\r\n", "\n"])
@pytest.mark.parametrize("case", ["parentheses", "strings", "owners"])
def test_line_ends(zone, tmp_path, case, ending):
    path = zone(SYNTAX[case].rstrip("\n").replace("\n", ending), newline="")
    same(ours(path), ours(zone(SYNTAX[case], "unix")))
    same(ours(path), bind(zone(SYNTAX[case], "unix"), tmp_path))


def test_include(zone, tmp_path):
    (tmp_path / "inc").mkdir()
    zone("in A 192.0.2.2\n$ORIGIN changed.example.\nc A 192.0.2.3\n", "inc/one")
    path = zone(HEAD + f"a A 192.0.2.1\n$INCLUDE {tmp_path}/inc/one sub.example.\n"
                f"  TXT \"of a\"\nz A 192.0.2.4\n$INCLUDE {tmp_path}/inc/one\n")
    got = ours(path)
    same(got, bind(path, tmp_path))
    assert ("in.sub.example.", 3600, 1, b"\xc0\x00\x02\x02") in got


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_all(zone, tmp_path, case):
    path = zone(HEAD + REFUSED[case])
    got = run(ZONECAT, path, ORIGIN)
    assert got.returncode == 1 and got.stdout == b""
    assert got.stderr.decode().startswith(f"{path}:5:"), got.stderr.decode()
    with pytest.raises(AssertionError):
        bind(path, tmp_path)
    assert knot_accepts(path)[0] == (case in KNOT_ACCEPTS)


def test_what_we_write_is_read_by_peers(zone, tmp_path):
    """Our own lines as the peers' input: the escapes that we write are the ones they know."""
    text = HEAD + "".join(t[len(HEAD):] for t in SYNTAX.values() if t.startswith(HEAD))
    path = zone(text.replace("\nch CNAME @\n", "\n"))
    got = run(ZONECAT, path, ORIGIN)
    assert got.returncode == 0, got.stderr.decode()
    lines = zone(got.stdout.decode(), "lines")
    want = records(got.stdout.decode())
    same(ours(lines), want)
    same(ldns(lines), want)


def test_root_zone(tmp_path):
    archive = SHARED / "root-zone/root-zone-2026.tar.xz"
    if not archive.exists():
        pytest.skip("skipped: no root zone data")
    with tarfile.open(archive) as tar:
        member = tar.next()
        path = tmp_path / "root.zone"
        path.write_bytes(tar.extractfile(member).read())
    got = ours(path, ".")
    assert len(got) > 20000
    same(got, bind(path, tmp_path, "."))
    same(got, ldns(path))
