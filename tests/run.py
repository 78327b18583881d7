#!/usr/bin/python3
"""Runs the tests that `make check` built and closes with one line: N passed, N failed, N skipped."""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree as ET

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Totals:
    """Filled by several threads."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []
        self.lock = threading.Lock()

    def add(self, passed=0, failed=0, skipped=0):
        with self.lock:
            self.passed += passed
            self.failed += failed
            self.skipped += skipped

    def fail(self, name, output='', failed=1):
        with self.lock:
            self.failed += failed
            self.failures.append(name)
            if output:
                print(output[-6000:])


def run(cmd, timeout, env=None):
    """Output and exit code of a command; a time-out kills its whole process group."""
    p = subprocess.Popen([str(c) for c in cmd], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         cwd=ROOT, env={**os.environ, **(env or {})}, start_new_session=True)
    try:
        out, _ = p.communicate(timeout=timeout)
        return p.returncode, out.decode(errors='replace')
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, 9)
        out, _ = p.communicate()
        return -1, out.decode(errors='replace') + f'\ntimed out after {timeout} s\n'


SAN_ENV = {
    'ASAN_OPTIONS': 'detect_leaks=1:abort_on_error=0:allocator_may_return_null=1',
    'UBSAN_OPTIONS': 'print_stacktrace=1:halt_on_error=1',
    'TSAN_OPTIONS': f'halt_on_error=1:second_deadlock_stack=1:suppressions={ROOT}/tests/tsan.supp',
}


def run_cmocka(program, label, totals):
    code, out = run([program], 300, {**SAN_ENV, 'CMOCKA_MESSAGE_OUTPUT': 'TAP'})
    ok = bad = skipped = 0
    for line in out.splitlines():
        if re.match(r'(not )?ok \d+', line) and re.search(r'# SKIP', line, re.I):
            skipped += 1
        elif re.match(r'ok \d+', line):
            ok += 1
        elif re.match(r'not ok \d+', line):
            bad += 1
    totals.add(passed=ok, skipped=skipped)
    if bad:
        totals.fail(label, out, bad)
    elif code != 0:
        totals.fail(label, out)
    elif ok + skipped == 0:
        totals.fail(label + ' (ran no test)', out)
    print(f'{"FAIL" if bad or code else "ok  "} {label}: {ok} passed, {bad} failed, {skipped} skipped',
          flush=True)


def run_corpus(program, corpus, label, totals):
    code, out = run([program, '--storm', '30000', '1', corpus], 300, SAN_ENV)
    m = re.search(r'(\d+) inputs run', out)
    if code or not m or int(m.group(1)) == 0:
        totals.fail(label, out)
        print(f'FAIL {label}')
    else:
        totals.add(passed=1)
        print(f'ok   {label}: {m.group(1)} inputs', flush=True)


def run_pytest(build, jobs, totals):
    if not any((ROOT / 'tests/integration').glob('test_*.py')):
        return
    with tempfile.TemporaryDirectory() as tmp:
        xml = f'{tmp}/junit.xml'
        p = subprocess.Popen(['/usr/bin/python3', '-m', 'pytest', '-q', '-rs', '-n', str(jobs), '--dist', 'loadgroup',
                              '-p', 'no:cacheprovider', f'--junitxml={xml}', 'tests/integration'],
                             cwd=ROOT, start_new_session=True,
                             env={**os.environ, **SAN_ENV, 'ZL_BIN': str(build / 'bin'),
                                  'ZL_BUILD': str(build), 'PYTHONDONTWRITEBYTECODE': '1'})
        try:
            p.wait(timeout=1800)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, 9)
            p.wait()
            totals.fail('integration: timed out')
        try:
            suite = ET.parse(xml).getroot().find('testsuite')
        except (OSError, ET.ParseError):
            totals.fail('integration: no report')
            return
        n = {k: int(suite.get(k, 0)) for k in ('tests', 'failures', 'errors', 'skipped')}
        bad = n['failures'] + n['errors']
        totals.add(passed=n['tests'] - bad - n['skipped'], skipped=n['skipped'])
        if bad:
            totals.fail('integration', failed=bad)


def run_programs(san, tsan, jobs, totals):
    """The tests that are programs of their own, `jobs` at a time."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        def start(what, program, *args):
            return pool.submit(what, program, *args, totals)
        runs = []
        if tsan:
            for rel in (ROOT / 'tests/tsan.list').read_text().split():
                runs.append(start(run_cmocka, tsan / rel, f'{rel} (thread sanitizer)'))
        for src in sorted(ROOT.glob('tests/unit/**/test_*.c')) + sorted(ROOT.glob('tests/scenario/test_*.c')):
            rel = src.relative_to(ROOT).with_suffix('')
            runs.append(start(run_cmocka, san / rel, str(rel)))
        for src in sorted(ROOT.glob('tests/fuzz/fuzz_*.c')):
            rel = src.relative_to(ROOT).with_suffix('')
            corpus = ROOT / 'tests/fuzz/corpus' / src.stem.removeprefix('fuzz_')
            runs.append(start(run_corpus, san / rel, corpus, str(rel)))
        for r in runs:
            r.result()  # an exception of a thread is one of ours


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--san', required=True, help='build directory of the sanitized tests')
    ap.add_argument('--tsan', help='build directory of the thread-sanitized tests')
    ap.add_argument('--jobs', type=int, default=2)
    # Stories wait for timers, peers and the disk most of their time, so there are more of them than processors.
    ap.add_argument('--stories', type=int, default=4)
    ap.add_argument('--only', choices=['unit', 'integration'])
    args = ap.parse_args()
    totals = Totals()
    san = ROOT / args.san

    if args.only != 'integration':
        code, out = run(['tests/layers.sh'], 60)
        totals.add(passed=1) if code == 0 else totals.fail('layers', out)
        run_programs(san, ROOT / args.tsan if args.tsan else None, args.jobs, totals)
    if args.only != 'unit':
        run_pytest(san, args.stories, totals)
    if totals.failures:
        print('Failed: ' + ', '.join(totals.failures))
    print(f'{totals.passed} passed, {totals.failed} failed, {totals.skipped} skipped')
    return 1 if totals.failed or totals.passed == 0 else 0


if __name__ == '__main__':
    sys.exit(main())
