#!/usr/bin/python3
"""Measurements (make bench): our rooms by themselves, then the daemons beside other servers, on loopback.

    tests/bench/run.py BUILD [--only PART,...] [--records N] [--servers zoneledger,nsd]
                       [--limit SECONDS] [--brief]
"""
import argparse
import functools
import importlib
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PARTS = {
    'rooms': 'our libraries by themselves',
    'journal': 'the journal: commits a second, octets a change, how far behind, old versions read',
    'rollback': 'one changed record of a million is undone, until it is served',
    'queries': 'queries by UDP: random names and hot ones in a big zone, and the machine\'s limit',
    'start': 'start to first right answer with that zone; memory a record',
    'transfer': 'from NOTIFY to served: that zone as a whole',
    'out': 'that zone to a client, by AXFR',
    'change': 'one changed record: from commit to visible, from NOTIFY to visible',
    'tail': 'how long single answers take while the zone is replaced, and while changes arrive',
    'signed': 'queries with DO in zones with NSEC and with NSEC3',
    'streams': 'queries by TCP and by TLS',
    'zones': '100,000 zones of ten records',
    'fleet': '1,000 zones that appear by themselves, by NOTIFY, and follow changes',
    'catalog': '10,000 zones from nothing by catalog zone, and changes in 1,000 of them',
    'instructions': 'instructions a query, counted by callgrind',
}
ON_DEMAND = {'million': 'a million zones', 'catalog_large': 'catalog with 100,000 zones'}  # only if named: minutes, and gigabytes


class Bench:
    """What the parts share. The big zone and its primary come into being when the first part wants them."""

    def __init__(self, build, path, args):
        self.build, self.path, self.records, self.servers = build, path, args.records, args.servers
        self.limit = args.limit  # of a server for a step of a fleet; None: the part's own
        self.brief = args.brief  # small and short, to see that all of it works: figures mean nothing

    @functools.cached_property
    def zone(self):
        import bigzone
        return bigzone.BigZone(self.path, self.records)

    @functools.cached_property
    def primary(self):
        import transfer
        return transfer.Primary(self.path / 'primary', self.zone)

    def tool(self, name):
        return self.build / 'tests/bin' / name

    def dir(self, name):
        p = self.path / name
        p.mkdir()
        p.chmod(0o755)
        return p

    def stop(self):
        if 'primary' in self.__dict__:
            self.primary.stop()


def run_rooms(bench):
    """Each bench_*.c prints its own figures."""
    if bench.brief:
        return
    for src in sorted((ROOT / 'tests/bench').glob('bench_*.c')):
        print(f'\n{src.stem}\n', flush=True)
        subprocess.run([bench.build / 'tests/bench' / src.stem], timeout=120, check=True)


def run_part(name, build, args):
    """Each part has a directory, a zone and a primary of its own, so that any can be run by itself."""
    path = pathlib.Path(tempfile.mkdtemp(prefix='zl-bench-'))
    path.chmod(0o755)
    bench = Bench(build, path, args)
    begin = time.monotonic()
    try:
        if name == 'rooms':
            run_rooms(bench)
        else:
            importlib.import_module(name).run(bench)
    finally:
        bench.stop()
        shutil.rmtree(path, ignore_errors=True)
    print(f'{name}: measured in {time.monotonic() - begin:.0f} s, load now {os.getloadavg()[0]:.1f}', flush=True)


def parts(text):
    names = text.split(',')
    for n in names:
        if n not in PARTS and n not in ON_DEMAND:
            raise argparse.ArgumentTypeError(f'"{n}" is no part; there are {", ".join([*PARTS, *ON_DEMAND])}')
    return names


def main():
    listing = '\n'.join(f'  {name:14}{what}' for name, what in {**PARTS, **ON_DEMAND}.items())
    ap = argparse.ArgumentParser(description=f'{__doc__}\nParts:\n{listing}',
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('build', type=pathlib.Path)
    ap.add_argument('--only', type=parts, default=list(PARTS), metavar='PART,...')
    ap.add_argument('--records', type=int, default=1000000, help='of the big zone')
    ap.add_argument('--servers', type=lambda names: names.split(','), help='only these')
    ap.add_argument('--limit', type=float, metavar='SECONDS', help='that a server has for a step of catalog and catalog_large')
    ap.add_argument('--brief', action='store_true', help='only to see that everything works')
    args = ap.parse_args()
    build = args.build.resolve()
    os.environ['ZL_BIN'] = str(build / 'bin')
    sys.path.insert(0, str(ROOT / 'tests/integration'))
    model = next((line.split(':')[1].strip() for line in open('/proc/cpuinfo') if line.startswith('model name')), '')
    print(f'{time.strftime("%Y-%m-%d")}, {os.cpu_count()} cores {model}, Linux {platform.release()}, '
          f'load {os.getloadavg()[0]:.1f}')
    for name in args.only:
        run_part(name, build, args)


if __name__ == '__main__':
    main()
