"""Every RR type as text: what named-compilezone and ldns-read-zone make of tests/data/all-types.zone,
and of what we print of it, must be the records that we read; kzonecheck must accept both.

A peer's own text is fed back to our reader and compared as our text, so that its different
spelling does not matter; what a record's octets should be is for the unit tests, which have them.
"""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("ZL_BUILD", ROOT / "build/release"))
ZONECAT = BUILD / "tests/bin/zonecat"
ALL_TYPES = ROOT / "tests/data/all-types.zone"
ORIGIN = "example."


def need(tool):
    path = shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        pytest.skip(f"skipped: {tool} is not installed")
    return path


def run(*args):
    return subprocess.run([str(a) for a in args], capture_output=True, timeout=120, check=False)


def ours(path):
    """Our text of a zone file's records, as lines in canonical order."""
    got = run(ZONECAT, path, ORIGIN)
    assert got.returncode == 0, got.stderr.decode()
    return got.stdout.decode().splitlines()


def without(peer):
    """The zone file without the records that say "not PEER", and the owners of those."""
    keep, dropped = [], set()
    for line in ALL_TYPES.read_text().splitlines():
        mark = re.search(r" ; not ([a-z ]+)$", line)
        if mark and peer in mark.group(1).split():
            dropped.add(line.split()[0] + "." + ORIGIN)
        else:
            keep.append(line)
    assert len(keep) > 100
    return "\n".join(keep) + "\n", dropped


@pytest.fixture(params=["as it is", "as we print it"])
def source(request, tmp_path):
    """Gives a peer's zone file: the one of tests/data, or the same records in our own text."""

    def put(peer):
        text, dropped = without(peer)
        path = tmp_path / "zone"
        if request.param == "as we print it":
            lines = [x for x in ours(ALL_TYPES) if x.split(" ")[0] not in dropped]
            # A zone file begins with its SOA.
            lines.sort(key=lambda x: " IN SOA " not in x)
            text = "$ORIGIN " + ORIGIN + "\n" + "\n".join(lines) + "\n"
        path.write_text(text)
        return path

    return put


def bind(path, tmp_path):
    out = tmp_path / "bind.out"
    got = run(need("named-compilezone"), "-i", "none", "-k", "ignore", "-n", "ignore", "-m", "ignore",
              "-M", "ignore", "-S", "ignore", "-W", "ignore", "-r", "ignore", "-s", "full", "-o", out,
              ORIGIN, path)
    assert got.returncode == 0, got.stdout.decode() + got.stderr.decode()
    return out


def ldns(path, tmp_path):
    out = tmp_path / "ldns.out"
    got = run(need("ldns-read-zone"), path)
    assert got.returncode == 0, got.stderr.decode()
    out.write_bytes(got.stdout)
    return out


@pytest.mark.parametrize("peer", [bind, ldns])
def test_peer_reads_and_prints_the_same(peer, source, tmp_path):
    path = source(peer.__name__)
    want = ours(path)
    got = ours(peer(path, tmp_path))
    assert [x for x in want if x not in got] == [], "only we have these"
    assert [x for x in got if x not in want] == [], "only the peer has these"


def test_knot_accepts(source):
    got = run(need("kzonecheck"), "-o", ORIGIN, source("knot"))
    assert got.returncode == 0, got.stdout.decode() + got.stderr.decode()


def test_our_text_reads_as_itself(tmp_path):
    lines = ours(ALL_TYPES)
    again = tmp_path / "again"
    again.write_text("\n".join(lines) + "\n")
    assert ours(again) == lines


def test_every_type_is_there():
    """What the table of types has, the zone file has."""
    table = (ROOT / "lib/dns/rr_table.c").read_text()
    types = set(re.findall(r'\{RR_[A-Z0-9_]+,\s*"([A-Z0-9-]+)"', table))
    assert len(types) >= 80
    present = {line.split(" ")[3] for line in ours(ALL_TYPES)}
    assert types - present == set()
