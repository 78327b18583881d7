"""120 consecutive real versions of the root zone, served one after another by a real primary."""
import hashlib
import lzma
import os
import pathlib
import subprocess
import tarfile

import pytest
import zl

DATA = pathlib.Path(os.environ.get('ZL_SHARED_DATA', zl.ROOT.parent / 'shared/data')) / 'root-zone/root-zone-2026.tar.xz'
BUILD = pathlib.Path(os.environ.get('ZL_BUILD', zl.ROOT / 'build/release'))
SWEEP = os.environ.get('ZL_FAULT_SWEEP')


@pytest.fixture(scope='module')
def versions(tmp_path_factory):
    if not DATA.exists():
        pytest.skip('skipped: no root zone data')
    where = tmp_path_factory.mktemp('root')
    with lzma.open(DATA) as x, tarfile.open(fileobj=x) as tar:
        tar.extractall(where, filter='data') if hasattr(tarfile, 'data_filter') else tar.extractall(where)
    files = sorted(where.rglob('root-*.zone'))
    assert len(files) == 120
    return {int(f.stem.split('-')[1]): f for f in files}


def canonical(path):
    """SHA-256 of the canonical records of a zone file."""
    out = subprocess.run([BUILD / 'tests/bin/zonecat', path, '.'], capture_output=True, check=True).stdout
    return hashlib.sha256(out).hexdigest()


def test_120_versions_of_the_root(versions, peer, node, place):
    n = node(level='info')
    p = peer('knot').notify_to(n)
    serials = sorted(versions)
    p.write('.', versions[serials[0]].read_text())
    p.start()
    n.secondary_of('.', p, **{'refresh-min': '1h', 'retry-min': '1h'}).start()
    n.wait_serial('.', serials[0])
    for s in serials[1:]:
        p.load('.', versions[s].read_text())
        n.wait_serial('.', s)
    n.journaled()

    log = n.log('.')
    assert [v['serial'] for v in reversed(log)] == serials, 'a commit for each version, in order'
    assert n.git('rev-list', '--count', 'refs/heads/%2E').strip() == '120'
    for i, s in enumerate(serials):
        if SWEEP or i % 10 == 0 or i == 119:
            restored = place / 'restored.zone'
            restored.write_text(n.dump('.', f'v{i + 1}'))
            assert canonical(restored) == canonical(versions[s]), f'version {i + 1}, serial {s}'
    n.verify()
    n.fsck()

    for i in range(120) if SWEEP else (0, 59, 118):
        n.zonectl('rollback', '.', '--to', f'v{i + 1}')
        n.wait_serial('.', serials[i])
        restored = place / 'served.zone'
        restored.write_text(n.dump('.'))
        assert canonical(restored) == canonical(versions[serials[i]])
    n.verify()
