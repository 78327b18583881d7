"""120 consecutive real versions of the root zone, served one after another by a real primary.

What a version is worth is decided by records, not by text: zonecat gives them one a line, in canonical
order, on both sides.
"""
import lzma
import os
import pathlib
import random
import subprocess
import tarfile

import dns.rdata
import dns.rdatatype
import pytest
import zl

DATA = pathlib.Path(os.environ.get('ZL_SHARED_DATA', zl.ROOT.parent / 'shared/data')) / 'root-zone/root-zone-2026.tar.xz'
BUILD = pathlib.Path(os.environ.get('ZL_BUILD', zl.ROOT / 'build/release'))
COUNT = 120


@pytest.fixture(scope='module')
def versions(tmp_path_factory):
    """The zone files by serial, oldest first."""
    if not DATA.exists():
        pytest.skip('skipped: no root zone data')
    where = tmp_path_factory.mktemp('root')
    with lzma.open(DATA) as x, tarfile.open(fileobj=x) as tar:
        tar.extractall(where, filter='data') if hasattr(tarfile, 'data_filter') else tar.extractall(where)
    files = sorted(where.rglob('root-*.zone'))
    assert len(files) == COUNT
    return {int(f.stem.split('-')[1]): f for f in files}


def canonical(path):
    """The records of a zone file: one a line, in canonical order."""
    return subprocess.run([BUILD / 'tests/bin/zonecat', path, '.'], capture_output=True, text=True, check=True).stdout


def serve_all(versions, node, peer):
    """Gives the versions to a primary one by one, each after the one before it is served by us."""
    n = node(level='info')
    p = peer('knot').notify_to(n)
    serials = list(versions)
    p.write('.', versions[serials[0]].read_text())
    p.start()
    n.secondary_of('.', p, **{'refresh-min': '1h', 'retry-min': '1h'}).start()
    n.wait_serial('.', serials[0])
    for s in serials[1:]:
        p.load('.', versions[s].read_text())
        n.wait_serial('.', s)
    n.journaled()
    return n


def rrsets(lines):
    """Lines of zonecat as {(owner, type): {RDATA in wire form}}."""
    sets = {}
    for line in lines:
        owner, _, _, rdtype, rdata = line.split(' ', 4)
        wire = dns.rdata.from_text('IN', rdtype, rdata).to_digestable()
        sets.setdefault((owner, dns.rdatatype.from_text(rdtype)), set()).add(wire)
    return sets


def served(n, owner, rdtype, delegation):
    """The RRset as authd has it: in the answer, or as part of a referral (glue in the one to `delegation`)."""
    r = n.ask(delegation, 'NS', tcp=True) if delegation else n.ask(owner, rdtype, tcp=True)
    return {rdata.to_digestable() for section in (r.answer, r.authority, r.additional) for rrset in section
            if rrset.rdtype == rdtype and rrset.name.to_text().lower() == owner for rdata in rrset}


def check_rollback(n, version, serial, want, other):
    """Rolls back to a version; authd must answer its SOA and the RRsets in which it differs from `other`."""
    n.zonectl('rollback', '.', '--to', f'v{version}', '--force')  # the signatures of that day have expired
    n.wait_serial('.', serial)
    assert canonical_text(n, '.') == want
    differ = set(want.splitlines()) - set(other.splitlines())
    keys = {tuple(line.split(' ', 4)[i] for i in (0, 3)) for line in differ}
    of_keys = [line for line in want.splitlines() if tuple(line.split(' ', 4)[i] for i in (0, 3)) in keys]
    delegations = {line.split()[4]: line.split()[0] for line in want.splitlines() if line.split()[3] == 'NS'}
    # An NSEC at a delegation is not asked for: without DO that is a referral.
    asked = sorted(item for item in rrsets(of_keys).items() if item[0][1] != dns.rdatatype.NSEC)
    for (owner, rdtype), rdata in random.Random(version).sample(asked, min(len(asked), 20)):
        glue = delegations[owner] if rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA) else None
        assert served(n, owner, rdtype, glue) == rdata, f'v{version}: {owner} {dns.rdatatype.to_text(rdtype)}'


def canonical_text(n, what, version=None):
    out = n.path / 'shown.zone'
    out.write_text(n.dump(what, version))
    return canonical(out)


def test_120_versions_of_the_root(versions, peer, node):
    n = serve_all(versions, node, peer)
    serials = list(versions)

    log = n.log('.')
    assert [v['serial'] for v in reversed(log)] == serials, 'a version for each, in order'
    commits = n.git('log', '--reverse', '--format=%(trailers:key=Serial,valueonly,separator=%x2C)', 'refs/heads/%2E')
    assert [int(s) for s in commits.split()] == serials, 'a commit for each version, in order'

    for i, s in enumerate(serials):
        assert canonical_text(n, '.', f'v{i + 1}') == canonical(versions[s]), f'version {i + 1}, serial {s}'
    n.verify()
    n.fsck()

    newest = canonical(versions[serials[-1]])
    for i in range(COUNT - 1):
        check_rollback(n, i + 1, serials[i], canonical(versions[serials[i]]), newest)
    n.verify()
    n.fsck()
