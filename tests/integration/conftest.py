import shutil
import tempfile

import pytest
import hostile
import zl
from alone import authd  # noqa: F401, a fixture


@pytest.fixture
def place():
    """A short directory (Unix sockets have short paths); processes that use it are ended first."""
    import pathlib
    p = pathlib.Path(tempfile.mkdtemp(prefix='zl-'))
    p.chmod(0o755)
    yield p
    shutil.rmtree(p, ignore_errors=True)


@pytest.fixture
def node(place):
    """Factory of nodes; all are stopped, and their logs looked at, when the test ends."""
    made = []

    def make(name='node', **options):
        n = zl.Node(place / name, **options)
        made.append(n)
        return n
    yield make
    errors = []
    for n in made:
        try:
            n.stop()
        except AssertionError as e:
            errors.append(e)
        n.kill()
    assert not errors, errors[0]


@pytest.fixture
def peer(place):
    """Factory of real primaries: peer('knot', key=None, ixfr=False). Skips where the program is not installed."""
    made = []

    def make(name, key=None, **options):
        cls = zl.PEERS[name] if isinstance(name, str) else name
        if cls.missing():
            pytest.skip(f'skipped: {cls.program} is not installed')
        p = cls(place / f'{cls.name}{len(made)}', key, **options)
        made.append(p)
        return p
    yield make
    for p in made:
        p.stop()


@pytest.fixture
def primary():
    """Factory of primaries that answer by script: primary(text of the zone, key=None)."""
    made = []

    def make(text, key=None):
        made.append(hostile.Primary(text, key))
        return made[-1]
    yield make
    for p in made:
        p.stop()
