"""Every part of `make bench` still runs: with small zones, for moments, and nothing is said about its figures."""
import os
import pathlib
import subprocess

import pytest
import zl

BUILD = pathlib.Path(os.environ.get('ZL_BUILD', zl.BIN.parent))


def bench(*args):
    r = subprocess.run([zl.ROOT / 'tests/bench/run.py', BUILD, '--brief', '--records', '2000', '--servers', 'nsd', *args],
                       capture_output=True, text=True, timeout=120)
    assert r.returncode == 0, r.stdout + r.stderr
    return r.stdout


@pytest.mark.parametrize('part', ['queries', 'start', 'transfer', 'change', 'tail'])
def test_a_part_runs(part):
    out = bench('--only', part)
    assert 'left out' not in out
    assert f'{part}: measured in' in out
    assert '| zoneledger ' in out
