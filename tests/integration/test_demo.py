"""What `make demo` shows, and the README's picture of it."""
import re
import subprocess

import pytest
import zl


@pytest.fixture(scope='module')
def demo(tmp_path_factory):
    run = tmp_path_factory.mktemp('demo') / 'run'
    r = subprocess.run([zl.ROOT / 'conf/demo/demo.sh', zl.BIN, run], capture_output=True, text=True, timeout=300)
    assert r.returncode == 0, r.stdout + r.stderr
    return r.stdout.replace(f'{run}/', 'run/')


def plain(line):
    """Without what is another one each time: ports, commits, times; and the widths of columns."""
    line = re.sub(r'\b(?=[0-9a-f]*\d)[0-9a-f]{7,10}\b', 'COMMIT', re.sub(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ', 'TIME', line))
    words = ' '.join(re.sub(r'127\.0\.0\.1@\d+', 'ADDRESS', line).split())
    return re.sub(r'TIME (TIME|-) -$', 'TIME', words)  # when it is checked next may be known already


def test_it_tells_its_story_to_the_end(demo):
    assert re.findall(r'^== (\d)', demo, re.M) == list('1234567') and '\nDone: ' in demo
    assert 'ms after' in demo and '0 faults' in demo


def test_the_readme_shows_what_there_is(demo):
    picture = re.search(r'From `make demo`, abridged:\n\n```\n(.*?)```', (zl.ROOT / 'README.md').read_text(), re.S).group(1)
    said = {plain(line) for line in demo.splitlines()}
    missing = [line for line in picture.splitlines() if plain(line) not in said]
    assert len(picture.splitlines()) > 15 and not missing, '\n'.join(missing)
