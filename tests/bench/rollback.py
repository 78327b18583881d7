"""A change of one record in a big zone is undone: from the start of zonectl to the first answer with the old content."""
import statistics
import subprocess
import time

import bigzone
import measure
import zl

TIMES = 7


def whole(bench, serial, changed):
    """The zone in one file, since what is imported includes nothing."""
    path = bench.path / f'whole-{changed}.zone'
    path.write_text(bench.zone.head(serial, changed) + bench.zone.body.read_text())
    return path


def undo(n, asker):
    """Milliseconds until the content of the version before the newest is served."""
    version, serial = n.zone(bigzone.ORIGIN)['version'], asker.serial(bigzone.ORIGIN)
    start = time.monotonic()
    command = subprocess.Popen([zl.BIN / 'zonectl', '--run-dir', n.path, 'rollback', bigzone.ORIGIN, '--to', f'v{version - 1}'],
                               stdout=subprocess.DEVNULL)
    while asker.serial(bigzone.ORIGIN) == serial:
        if time.monotonic() - start > 60:
            raise AssertionError('the rollback is not served within 60 s')
        time.sleep(0.0005)
    took = (time.monotonic() - start) * 1000
    assert command.wait(60) == 0
    n.journaled()
    return took


def row(what, took):
    return [what, len(took), f'{statistics.median(took):.0f}', f'{min(took):.0f}', f'{max(took):.0f}']


def run(bench):
    n = zl.Node(bench.dir('node'), level='warning', workers=1)
    n.start()
    asker = measure.Asker(n.port)
    try:
        for serial in (1, 2):
            n.zonectl('import', bigzone.ORIGIN, whole(bench, serial, serial))
            n.wait_serial(bigzone.ORIGIN, serial, 60)
            n.journaled()
        times = 2 if bench.brief else TIMES
        warm = [undo(n, asker) for _ in range(times)]
        cold = []
        for _ in range(times):
            n.syncd.stop()
            n.syncd.start()
            zl.wait_for(n.ready, 'syncd to be back')
            zl.wait_for(lambda: n.status()['authd_connected'], 'authd to be connected')
            cold.append(undo(n, asker))
        measure.table(f'A change of one record in a zone of {bench.records:,}, undone: milliseconds from the start of zonectl to the '
                      'first answer', ['syncd', 'times', 'median', 'shortest', 'longest'],
                      [row('has the zone in its cache, as after the change', warm), row('has just been started', cold)])
    finally:
        asker.close()
        n.kill()
