#!/usr/bin/python3
"""Measurements (make bench): our rooms by themselves, then the daemons beside other servers, on loopback.

    tests/bench/run.py BUILD [--only rooms|transfer|queries] [--records N] [--servers zoneledger,nsd]
"""
import argparse
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def run_rooms(build):
    """Each bench_*.c prints its own figures."""
    for src in sorted((ROOT / 'tests/bench').glob('bench_*.c')):
        print(f'\n{src.stem}\n', flush=True)
        subprocess.run([build / 'tests/bench' / src.stem], timeout=120, check=True)


def run_beside_others(build, only, records, servers):
    os.environ['ZL_BIN'] = str(build / 'bin')
    sys.path.insert(0, str(ROOT / 'tests/integration'))
    import bigzone
    import queries
    import transfer
    path = pathlib.Path(tempfile.mkdtemp(prefix='zl-bench-'))
    path.chmod(0o755)
    primary = None
    try:
        zone = bigzone.BigZone(path, records)
        primary = transfer.Primary(path / 'primary', zone)
        for name, part in (('transfer', transfer), ('queries', queries)):
            if only in (None, name):
                part.run(build, path, zone, primary, servers)
    finally:
        if primary:
            primary.stop()
        shutil.rmtree(path, ignore_errors=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument('build', type=pathlib.Path)
    ap.add_argument('--only', choices=['rooms', 'transfer', 'queries'])
    ap.add_argument('--records', type=int, default=1000000)
    ap.add_argument('--servers', type=lambda names: names.split(','), help='only these')
    args = ap.parse_args()
    build = args.build.resolve()
    begin = time.monotonic()
    model = next((line.split(':')[1].strip() for line in open('/proc/cpuinfo') if line.startswith('model name')), '')
    print(f'{time.strftime("%Y-%m-%d")}, {os.cpu_count()} cores {model}, Linux {platform.release()}, '
          f'load {os.getloadavg()[0]:.1f}')
    if args.only in (None, 'rooms'):
        run_rooms(build)
    if args.only != 'rooms':
        run_beside_others(build, args.only, args.records, args.servers)
    print(f'measured in {time.monotonic() - begin:.0f} s')


if __name__ == '__main__':
    main()
