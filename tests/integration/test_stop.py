"""SIGTERM in the middle of everything: nothing crashes, and nothing is lost."""
import subprocess
import time

import zl

ZONE = 'own.test'


def test_syncd_stops_with_requests_under_way(node):
    n = node().start()
    path = n.path / 'own.zone'
    big = ''.join(f'h{i} A 10.1.{i >> 8 & 255}.{i & 255}\n' for i in range(30000))
    for serial in range(1, 6):
        path.write_text(f'$TTL 300\n@ SOA ns h {serial} 2 3 4 5\n@ NS ns\nns A 192.0.2.{serial}\n' + big)
        commands = [['import', ZONE, path], ['verify'], ['show', ZONE], ['log', ZONE], ['status']] * 3
        running = [subprocess.Popen([zl.BIN / 'zonectl', '--run-dir', n.path, *map(str, c)],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for c in commands]
        time.sleep(0.02 + serial * 0.03)  # some are read, some are at work, some are being committed
        assert n.syncd.stop() == 0, n.syncd.text()[-3000:]
        for r in running:
            r.wait(30)
        n.restart()
    n.zonectl('import', ZONE, path, check=False)
    n.verify()
    n.fsck()
