"""Parts of `make bench` still run: with small zones, for moments, and nothing is said about their figures. Not here: those
that need a port of their own (fleet), or minutes."""
import os
import pathlib
import subprocess

import pytest
import zl

BUILD = pathlib.Path(os.environ.get('ZL_BUILD', zl.BIN.parent))


def bench(part, servers):
    r = subprocess.run([zl.ROOT / 'tests/bench/run.py', BUILD, '--brief', '--records', '2000', '--only', part,
                        '--servers', servers],
                       capture_output=True, text=True, timeout=120)
    assert r.returncode == 0, r.stdout + r.stderr
    return r.stdout


@pytest.mark.parametrize('part, servers', [('queries', 'nsd,knot,bind9'), ('signed', 'none'), ('zones', 'nsd,knot,bind9'), ('start', 'none'),
                                           ('transfer', 'none'), ('out', 'none'), ('catalog', 'zoneledger'), ('change', 'none'), ('tail', 'none')])
def test_a_part_runs(part, servers):
    out = bench(part, servers)
    assert 'left out' not in out
    assert f'{part}: measured in' in out
    assert '| zoneledger ' in out


def test_journal():
    out = bench('journal', 'none')
    assert 'journal: measured in' in out
    for table in ('The journal by itself', 'Store and journal together', 'A pack of ten changes', 'Old versions', 'Goals'):
        assert table in out


def test_rollback():
    out = bench('rollback', 'none')
    assert 'rollback: measured in' in out and '| has just been started' in out


def test_streams():
    """TCP and TLS, if dnsperf is there: only `make bench` needs it."""
    if not zl.tool('dnsperf'):
        pytest.skip('dnsperf is not installed')
    assert 'Queries by TLS' in bench('streams', 'none')


def test_an_unknown_part_is_named():
    r = subprocess.run([zl.ROOT / 'tests/bench/run.py', BUILD, '--only', 'nothing'], capture_output=True, text=True, timeout=60)
    assert r.returncode == 2
    assert '"nothing" is no part' in r.stderr
