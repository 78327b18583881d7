"""What a zone says of itself, its digest and its signatures: made by other software, judged by us."""
import calendar
import lzma
import os
import pathlib
import random
import shutil
import subprocess
import tarfile

import pytest
import zl
from signed_zones import Maker, sign_knot, sign_ldns

BUILD = pathlib.Path(os.environ.get('ZL_BUILD', zl.ROOT / 'build/release'))
DATA = pathlib.Path(os.environ.get('ZL_SHARED_DATA', zl.ROOT.parent / 'shared/data')) / 'root-zone/root-zone-2026.tar.xz'

PLAIN = """\
$ORIGIN example.org.
$TTL 3600
@ IN SOA ns1 Host.Master 2026112401 7200 900 604800 300
@ IN NS ns1
@ IN NS ns2.example.NET.
ns1 IN A 192.0.2.1
WWW 60 IN A 192.0.2.2
WWW 60 IN AAAA 2001:db8::2
*.wild IN TXT "a; b" "c"
deep.empty.name IN MX 10 Mail.Example.Org.
sub IN NS ns.sub
ns.sub IN A 192.0.2.53
secure IN NS ns1
secure IN DS 4711 13 2 6a0b3f64c08d2b7d5c2c2ce7c2f6a0e4f1f5c3a4f9d7e8b0a1c2d3e4f5061728
"""


def need(program):
    if shutil.which(program) is None:
        pytest.skip(f'skipped: {program} is not installed')


def run(*args, cwd=None):
    return subprocess.run([str(a) for a in args], cwd=cwd, capture_output=True, text=True, check=True).stdout


def dnssec(origin, *files, options=()):
    """What is said of the signatures of each file."""
    out = run(BUILD / 'tests/bin/zonecheck', *options, origin, *files)
    return [line.split(' ', 1)[1] for line in out.splitlines() if line.startswith('dnssec ')]


def zonemd(origin, *files):
    """What is said of the digest of each file."""
    out = run(BUILD / 'tests/bin/zonecheck', origin, *files)
    return [line.split(' ', 1)[1] for line in out.splitlines() if line.startswith('zonemd ')]


@pytest.mark.parametrize('hashed', ['sha384', 'sha512'])
def test_a_digest_made_by_ldns(tmp_path, hashed):
    need('ldns-signzone')
    plain, made = tmp_path / 'plain', tmp_path / 'made'
    plain.write_text(PLAIN)
    run('ldns-signzone', '-Z', '-z', f'simple:{hashed}', '-o', 'example.org', '-f', made, plain)
    name = {'sha384': 'SHA-384', 'sha512': 'SHA-512'}[hashed]
    assert zonemd('example.org.', plain, made) == [
        'none: it has no ZONEMD', f'ok: its content has the {name} digest of its ZONEMD']

    changed = tmp_path / 'changed'
    changed.write_text(made.read_text().replace('192.0.2.2', '192.0.2.3'))
    assert zonemd('example.org.', changed) == [
        f'mismatch: its content does not have the {name} digest of its ZONEMD']


def test_versions_of_the_root_zone(tmp_path):
    """As they were kept, without most signatures, they must not pass; ldns makes them whole again."""
    need('ldns-signzone')
    if not DATA.exists():
        pytest.skip('skipped: no root zone data')
    with lzma.open(DATA) as x, tarfile.open(fileobj=x) as tar:
        for member in [m for m in tar if m.name.endswith('.zone')][::30]:
            (tmp_path / member.name).write_bytes(tar.extractfile(member).read())
    stripped = sorted(tmp_path.glob('*.zone'))
    assert len(stripped) == 4
    assert zonemd('.', *stripped) == ['mismatch: its content does not have the SHA-384 digest of its ZONEMD'] * 4

    assert all(s.startswith('bogus') and 'RRSIG' in s for s in dnssec('.', *stripped))

    whole = [f.with_suffix('.whole') for f in stripped]
    for old, new in zip(stripped, whole):
        plain = old.with_suffix('.plain')
        plain.write_text(''.join(s for s in old.open() if s.split()[3] not in ('ZONEMD', 'RRSIG')))
        run('ldns-signzone', '-Z', '-z', 'simple:sha384', '-o', '.', '-f', new, plain)
    assert zonemd('.', *whole) == ['ok: its content has the SHA-384 digest of its ZONEMD'] * 4


def test_real_versions_signed_anew(tmp_path):
    """Real versions of the root zone, signed as of their own days: sound then, expired later, and the
    second one as a change of the first."""
    need('ldns-signzone')
    if not DATA.exists():
        pytest.skip('skipped: no root zone data')
    keys = [run('ldns-keygen', '-a', 'ECDSAP256SHA256', *k, '.', cwd=tmp_path).strip() for k in ((), ('-k',))]
    ds = ' '.join((tmp_path / f'{keys[1]}.ds').read_text().split('\n')[0].split()[3:])
    signed, day = [], calendar.timegm((2026, 6, 1, 0, 0, 0))
    with lzma.open(DATA) as x, tarfile.open(fileobj=x) as tar:
        for member in [m for m in tar if m.name.endswith('.zone')][:2]:
            plain, made = tmp_path / 'plain', tmp_path / f'{pathlib.Path(member.name).name}.signed'
            lines = tar.extractfile(member).read().decode().splitlines(True)
            plain.write_text(''.join(s for s in lines if s.split()[3] not in ('ZONEMD', 'RRSIG', 'DNSKEY', 'NSEC')))
            run('ldns-signzone', '-i', '20260531', '-e', '20260614', '-o', '.', '-f', made, plain, *keys, cwd=tmp_path)
            signed.append(made)
    at = ('-t', day, '-a', f'DS {ds}')
    assert all(s.startswith('ok: ') for s in dnssec('.', *signed, options=at))
    assert dnssec('.', signed[1], options=(*at, '-b', signed[0]))[0].startswith('ok: ')
    assert 'expired at 2026-06-14T00:00:00Z' in dnssec('.', signed[0], options=('-t', day + 20 * 86400))[0]
    assert 'for less than' in dnssec('.', signed[0], options=(*at, '-l', 14 * 86400))[0]
    assert 'vouches for' in dnssec('.', signed[0], options=('-t', day, '-a', 'DS 1 13 2 ' + '00' * 32))[0]


SIGNERS = {
    'nsec by ldns': lambda place, text: sign_ldns(place, 'example.test', text),
    'nsec3 by ldns': lambda place, text: sign_ldns(place, 'example.test', text, '-n', '-t', '3', '-s', 'aabb'),
    'nsec by knot': lambda place, text: sign_knot(place, 'example.test', text, ''),
    'opt-out by knot': lambda place, text: sign_knot(place, 'example.test', text, '    nsec3: on\n    nsec3-opt-out: on\n'),
}


def spoil(r, lines):
    """A record is lost, or changed; never the SOA, without which there is no zone."""
    i = r.choice([k for k, s in enumerate(lines) if 'SOA' not in s.split()])
    last = lines[i].split()[-1]
    if r.random() < 0.5 or len(last) < 8:
        return lines[:i] + lines[i + 1:]
    at = lines[i].rindex(last) + len(last) // 2
    return lines[:i] + [lines[i][:at] + ('B' if lines[i][at] == 'A' else 'A') + lines[i][at + 1:]] + lines[i + 1:]


@pytest.mark.parametrize('signer', SIGNERS)
def test_the_verdict_is_the_one_of_bind(tmp_path, signer):
    """Signed zones with every shape that matters, and what chance makes of them."""
    for program in ('ldns-signzone', 'ldns-keygen', 'kzonesign', 'dnssec-verify'):
        need(program)
    seed = int(os.environ.get('ZL_SEED', '1'))
    text = SIGNERS[signer](tmp_path, Maker('example.test', seed).text())
    lines = [s for s in text.splitlines() if s.strip() and not s.startswith(';')]
    zone, r, bogus = tmp_path / 'zone', random.Random(seed), 0
    for i in range(10):
        zone.write_text('\n'.join(spoil(r, lines) if i else lines) + '\n')
        checked = subprocess.run([BUILD / 'tests/bin/zonecheck', 'example.test.', zone], capture_output=True, text=True)
        if checked.returncode:
            continue  # not readable any more
        ours = next(s for s in checked.stdout.splitlines() if s.startswith('dnssec '))
        theirs = subprocess.run(['dnssec-verify', '-o', 'example.test', str(zone)], capture_output=True, text=True)
        assert ours.startswith('dnssec ok') == (theirs.returncode == 0), f'ZL_SEED={seed}: {ours}\n{theirs.stderr}'
        assert i or ours.startswith('dnssec ok')
        bogus += ours.startswith('dnssec bogus')
    assert bogus
