#!/usr/bin/python3
"""Runs the tests that `make check` built and closes with one line: N passed, N failed, N skipped."""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Totals:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []

    def add(self, passed=0, failed=0, skipped=0):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped

    def fail(self, name, output=''):
        self.failed += 1
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
    totals.add(ok, bad, skipped)
    if bad:
        totals.failures.append(label)
        print(out[-6000:])
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
            p.wait(timeout=1200)
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
        totals.add(n['tests'] - bad - n['skipped'], bad, n['skipped'])
        if bad:
            totals.failures.append('integration')


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--san', required=True, help='build directory of the sanitized tests')
    ap.add_argument('--tsan', help='build directory of the thread-sanitized tests')
    ap.add_argument('--jobs', type=int, default=2)
    ap.add_argument('--only', choices=['unit', 'integration'])
    args = ap.parse_args()
    totals = Totals()
    san = ROOT / args.san

    if args.only != 'integration':
        code, out = run(['tests/layers.sh'], 60)
        totals.add(passed=1) if code == 0 else totals.fail('layers', out)
        for src in sorted(ROOT.glob('tests/unit/**/test_*.c')) + sorted(ROOT.glob('tests/scenario/test_*.c')):
            rel = src.relative_to(ROOT).with_suffix('')
            run_cmocka(san / rel, str(rel), totals)
        for src in sorted(ROOT.glob('tests/fuzz/fuzz_*.c')):
            rel = src.relative_to(ROOT).with_suffix('')
            run_corpus(san / rel, ROOT / 'tests/fuzz/corpus' / src.stem.removeprefix('fuzz_'), str(rel), totals)
        if args.tsan:
            for rel in (ROOT / 'tests/tsan.list').read_text().split():
                run_cmocka(ROOT / args.tsan / rel, f'{rel} (thread sanitizer)', totals)
    if args.only != 'unit':
        run_pytest(san, args.jobs, totals)
    if totals.failures:
        print('Failed: ' + ', '.join(totals.failures))
    print(f'{totals.passed} passed, {totals.failed} failed, {totals.skipped} skipped')
    return 1 if totals.failed or totals.passed == 0 else 0


if __name__ == '__main__':
    sys.exit(main())
