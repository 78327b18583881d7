"""Stock git is the judge, and no guest: it reads, copies and tidies the journal while changes keep coming, each signed."""
import re
import subprocess
import threading

import dns.query
import dns.rcode
import dns.update
import pytest
import zl

ZONE = 'example.test'
POLICY = 'update-policy "full" { keys = {"full.test"} types = {"SOA", "NS", "A", "TXT"} }'


class Changes(threading.Thread):
    """One UPDATE after the other, each a version, until it is told to stop."""

    def __init__(self, node, key):
        super().__init__()
        self.node, self.key, self.made, self.wrong, self.stopped = node, key, 0, [], threading.Event()

    def one(self, i):
        u = dns.update.UpdateMessage(ZONE, keyring=self.key.ring(), keyname=self.key.name, keyalgorithm=self.key.algorithm)
        u.replace('counter', 60, 'TXT', str(i))
        u.add(f'h{i % 500}', 60, 'A', f'10.0.{i >> 8 & 255}.{i & 255}')
        return dns.query.tcp(u, '127.0.0.1', port=self.node.port, timeout=10).rcode()

    def run(self):
        while not self.stopped.wait(0.01):  # some 80 a second: a story, no benchmark
            try:
                rcode = self.one(self.made + 1)
            except Exception as e:  # the story must hear of it, whatever it is
                rcode = e
            if rcode != dns.rcode.NOERROR:
                self.wrong.append(rcode)
                return
            self.made += 1

    def more(self, n):
        """Waits until n more versions have been made."""
        want = self.made + n
        zl.wait_for(lambda: self.wrong or self.made >= want, f'{n} more changes', timeout=60)
        assert not self.wrong

    def end(self):
        self.stopped.set()
        self.join()
        assert not self.wrong and self.made


@pytest.fixture
def live(node):
    key = zl.Key('full.test')
    n = node(keys=[key], extra=POLICY)
    n.zones[ZONE], n.zone_options[ZONE] = [], {'update': '{"full"}'}
    n.start()
    n.zonectl('journal', 'key', 'create')
    n.zonectl('import', ZONE, '-', stdin=zl.small_zone(1))
    n.wait_serial(ZONE, 1)
    n.journaled()
    changes = Changes(n, key)
    changes.start()
    zl.wait_for(lambda: changes.wrong or int(git(n.journal, 'rev-list', '--count', f'refs/heads/{ZONE}')) > 20,
                'the journal to have some versions')
    yield n, changes
    changes.stopped.set()
    changes.join()


def git(repo, *args):
    r = subprocess.run(['git', '--git-dir', str(repo), *args], capture_output=True, text=True)
    assert r.returncode == 0, (args, r.stdout[-1000:], r.stderr[-1000:])
    return r.stdout


def fsck(repo):
    r = subprocess.run(['git', '--git-dir', str(repo), 'fsck', '--full', '--strict'], capture_output=True, text=True)
    text = r.stdout + r.stderr
    assert r.returncode == 0 and not re.search('error|missing|broken|corrupt', text), text


def signatures_hold(n, *commits):
    allowed = n.path / 'allowed-signers'
    allowed.write_text(n.zonectl('journal', 'key', 'export').stdout)
    git(n.journal, '-c', f'gpg.ssh.allowedSignersFile={allowed}', 'verify-commit', *commits)


def settled(n, made):
    """All versions are in the journal, in one line, and node, journal and git agree on the newest."""
    n.journaled()
    versions = n.log(ZONE, 10000)
    assert len(versions) == made + 1  # and the import
    commits = git(n.journal, 'rev-list', f'refs/heads/{ZONE}').split()
    assert commits == [v['commit'] for v in versions]
    assert n.json('id', ZONE)[0]['content_id'] == git(n.journal, 'rev-parse', f'{commits[0]}^{{tree}}').strip()
    report = n.verify()
    assert report['faults'] == [] and report['signatures'] == len(commits)
    signatures_hold(n, *commits[:3])
    fsck(n.journal)


def test_git_reads_while_changes_keep_coming(live):
    n, changes = live
    for _ in range(3):
        fsck(n.journal)
        log = git(n.journal, 'log', '--format=%H %s', f'refs/heads/{ZONE}').splitlines()
        subjects = [line.split(' ', 1)[1] for line in log]
        serials = [int(re.search(r'→ (\d+) ', s).group(1)) for s in subjects[:-1]]
        assert serials == sorted(serials, reverse=True) and len(set(serials)) == len(serials)
        # The difference of two neighbours is what that UPDATE changed.
        newest, before = (line.split(' ', 1)[0] for line in log[:2])
        diff = git(n.journal, 'diff', before, newest).splitlines()
        assert sum(line.startswith('+counter.example.test.') for line in diff) == 1
        assert sum(line.startswith('-counter.example.test.') for line in diff) == 1
        signatures_hold(n, newest, before)
        # Who wrote each record: the counter is the newest version's, the first NS that of the import.
        blame = git(n.journal, 'blame', '-s', '-l', newest, '--', 'zone').splitlines()
        assert next(line for line in blame if 'counter.example.test.' in line).startswith(newest)
        assert next(line for line in blame if ' NS ' in line).lstrip('^').startswith(log[-1].split()[0][:39])
        changes.more(20)
    changes.end()
    settled(n, changes.made)


def test_git_copies_while_changes_keep_coming(live, tmp_path):
    n, changes = live
    clone, other = tmp_path / 'clone.git', tmp_path / 'other.git'
    subprocess.run(['git', 'init', '-q', '--bare', str(other)], check=True)
    subprocess.run(['git', 'clone', '-q', '--mirror', str(n.journal), str(clone)], check=True, capture_output=True)
    for _ in range(3):
        changes.more(20)
        git(clone, 'fetch', '-q', 'origin')
        git(n.journal, 'push', '-q', str(other), '+refs/heads/*:refs/heads/*')
        fsck(clone)
        fsck(other)
    changes.end()
    settled(n, changes.made)
    git(clone, 'fetch', '-q', 'origin')
    git(n.journal, 'push', '-q', str(other), '+refs/heads/*:refs/heads/*')
    want = git(n.journal, 'rev-parse', f'refs/heads/{ZONE}')
    assert git(clone, 'rev-parse', f'refs/heads/{ZONE}') == git(other, 'rev-parse', f'refs/heads/{ZONE}') == want


def test_git_tidies_while_changes_keep_coming(live):
    """gc, with all that it drops, leaves what is written meanwhile alone; and packs are merged by us at the same time."""
    n, changes = live
    for i in range(4):
        git(n.journal, 'gc', '-q', '--prune=now', *(['--aggressive'] if i == 2 else []))
        fsck(n.journal)
        changes.more(25)
        git(n.journal, 'repack', '-q', '-a', '-d')
        git(n.journal, 'pack-refs', '--all')
        changes.more(5)
        git(n.journal, 'multi-pack-index', 'write')
    zl.wait_for(lambda: changes.wrong or 'packs are merged' in n.syncd.text(), 'our own packs to be merged', timeout=60)
    changes.end()
    settled(n, changes.made)
    n.authd.stop()
    n.syncd.stop()
    n.restart()  # the next start finds nothing to mend
    settled(n, changes.made)
