"""docs/journal-format.md, followed by another program: content ids and branch names computed here, from the
page alone, are those that the journal has. Stock git judges the repository."""

import hashlib
import os
import pathlib
import random
import subprocess
import tarfile

import dns.name
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("ZL_BUILD", ROOT / "build/release"))
JOURNALWRITE = BUILD / "tests/bin/journalwrite"
ZONECAT = BUILD / "tests/bin/zonecat"
SHARED = pathlib.Path(os.environ.get("ZL_SHARED_DATA", ROOT / "../shared/data"))
GIT_ENV = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C.UTF-8"}


def run(*args):
    p = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       env=GIT_ENV, timeout=280, check=False)
    assert p.returncode == 0, p.stderr.decode(errors="replace")
    return p.stdout.decode()


# ---- The page, section 2

def object_id(kind, data):
    return hashlib.sha1(f"{kind} {len(data)}".encode() + b"\0" + data).digest()


def wire(owner):
    return dns.name.from_text(owner).canonicalize().to_wire()


def part(lines, depth):
    """Mode and id of a part; lines are (address, owner, text) in canonical order."""
    if len(lines) <= 256 or len({x[1] for x in lines}) == 1:
        return b"100644", object_id("blob", b"".join(x[2] for x in lines))
    tree = b""
    for digit in "0123456789abcdef":
        below = [x for x in lines if x[0][depth] == digit]
        if below:
            mode, oid = part(below, depth + 1)
            tree += mode + b" " + digit.encode() + b"\0" + oid
    return b"40000", object_id("tree", tree)


def content_id(text):
    lines, last = [], (None, None)
    for line in text.splitlines(keepends=True):
        owner = line.split(" ", 1)[0]
        if owner != last[0]:
            last = (owner, hashlib.sha256(wire(owner)).hexdigest())
        lines.append((last[1], owner, line.encode()))
    mode, oid = part(lines, 0)
    return object_id("tree", mode + b" zone\0" + oid).hex()


# ---- Section 1

def branch(name):
    labels = [x.lower() for x in dns.name.from_text(name).labels[:-1]]
    if not labels:
        return "%2E"
    plain = b"abcdefghijklmnopqrstuvwxyz0123456789_-"
    text = [["%c" % o if o in plain else "%%%02X" % o for o in label] for label in labels]
    is_id = len(labels) == 1 and len(labels[0]) == 40 and all(o in b"0123456789abcdef" for o in labels[0])
    if labels[0].startswith(b"-") or is_id:
        text[0][0] = "%%%02X" % labels[0][0]
    if len(labels) > 1 and labels[-1] == b"lock":
        text[-1][0] = "%6C"
    escaped = ".".join("".join(x) for x in text)
    if len(escaped) > 200 or escaped == "%2E":
        return "%h-" + hashlib.sha256(wire(name)).hexdigest()
    return escaped


def zone_text(apex, serial, names, rng):
    text = f"{apex} 3600 IN SOA ns.example. host.example. {serial} 2 3 4 5\n{apex} 60 IN NS ns.example.\n"
    for name in names:
        owner = f"{name}.{apex}" if apex != "." else f"{name}."
        text += f'{owner} 60 IN TXT "{rng.randrange(10**9)}"\n'
    return text


@pytest.mark.parametrize("count", [0, 1, 200, 254, 255, 1000, 9000])
def test_content_ids(place, count):
    rng = random.Random(count)
    files = []
    names = [f"n{i}" if i % 7 else f"N{i}.Sub\\046{i % 5}" for i in range(count)]
    for serial in range(1, 5):
        f = place / f"{serial}.zone"
        f.write_text(zone_text("Example.ORG.", serial, names, random.Random(count)))
        files.append(f)
        names = rng.sample(names, len(names) * 3 // 4) + [f"new{serial}-{i}" for i in range(count // 8)]
    out = run(JOURNALWRITE, place / "j.git", "example.org.", *files).split()
    for f, got in zip(files, out[1::3]):
        assert content_id(run(ZONECAT, f)) == got
    assert len(out) == 3 * len(files)
    assert run("git", "-C", place / "j.git", "fsck", "--full", "--strict", "--no-dangling").strip() in (
        "", "notice: HEAD points to an unborn branch (%2E)")
    tree = run("git", "-C", place / "j.git", "rev-parse", "refs/heads/example.org^{tree}").strip()
    assert tree == out[-2]


@pytest.mark.parametrize("name", [
    ".", "example.com.", "a/b.example.", "a\\.b.example.", "-x.example.", "x.lock.", "lock.", "head.", "\\@.",
    "\\.", "\\000\\255.x.", "da39a3ee5e6b4b0d3255bfef95601890afd80709.", "%2E.", "b\\195\\188cher.example.",
    ".".join(["a" * 60] * 4) + ".", ".".join(["\\255" * 20] * 5) + "."])
def test_branches(place, name):
    f = place / "zone"
    f.write_text(zone_text(name, 7, [], None))
    commit = run(JOURNALWRITE, place / "j.git", name, f).split()[0]
    refs = run("git", "-C", place / "j.git", "for-each-ref", "--format=%(refname) %(objectname)")
    assert refs.split() == ["refs/heads/" + branch(name), commit]
    trailers = run("git", "-C", place / "j.git", "log", "-1", "--format=%(trailers:unfold)", commit)
    assert [t.split(":")[0] for t in trailers.splitlines() if t] == [
        "Zone", "Serial", "Version", "Origin", "Source", "Seq", "Content-Id"]


def test_root_zone_history(place):
    """Each version comes back as it was (journalwrite compares), and the ids are those of the page."""
    archive = next(iter(SHARED.glob("root-zone/*.tar.xz")), None)
    if archive is None:
        pytest.skip("skipped: the root zone's versions are not here")
    with tarfile.open(archive) as tar:
        tar.extractall(place / "root")
    files = sorted(p for p in (place / "root").rglob("*") if p.is_file() and p.suffix != ".md")[:40]
    out = run(JOURNALWRITE, place / "j.git", ".", *files).split()
    assert len(out) == 3 * len(files)
    for i in (0, len(files) // 2, len(files) - 1):
        assert content_id(run(ZONECAT, files[i])) == out[3 * i + 1]
    run("git", "-C", place / "j.git", "fsck", "--full", "--strict")
    assert len(run("git", "-C", place / "j.git", "log", "--oneline", "HEAD").splitlines()) == len(files)
