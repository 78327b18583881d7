"""What a zone says of itself, its digest and its signatures: made by other software, judged by us."""
import lzma
import os
import pathlib
import shutil
import subprocess
import tarfile

import pytest
import zl

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

    whole = [f.with_suffix('.whole') for f in stripped]
    for old, new in zip(stripped, whole):
        plain = old.with_suffix('.plain')
        plain.write_text(''.join(s for s in old.open() if s.split()[3] not in ('ZONEMD', 'RRSIG')))
        run('ldns-signzone', '-Z', '-z', 'simple:sha384', '-o', '.', '-f', new, plain)
    assert zonemd('.', *whole) == ['ok: its content has the SHA-384 digest of its ZONEMD'] * 4
