"""Whatever octets strangers send, by UDP and TCP: nobody dies, nothing grows, and questions are answered right."""
import os
import pathlib
import random
import socket

import dns.message
import dns.rcode
import zl

ZONE = 'example.test'
COUNT = int(os.environ.get('ZL_STORM', '100000'))


def seeds():
    found = [p.read_bytes()[1:] for p in sorted((zl.ROOT / 'tests/fuzz/corpus/answer').iterdir())]
    found += [dns.message.make_query(f'{name}{ZONE}', t, want_dnssec=bool(i % 2)).to_wire()
              for i, name in enumerate(('', 'www.', 'x.wild.', 'ns1.sub.', 'no.such.'))
              for t in ('A', 'SOA', 'ANY', 'TXT', 'DS', 'AXFR', 'IXFR')]
    return found


def mutated(rng, pool):
    m = bytearray(rng.choice(pool))
    for _ in range(rng.randrange(5)):
        at = rng.randrange(len(m) + 1)
        kind = rng.randrange(5)
        if kind == 0 and m:
            m[at % len(m)] = rng.choice((0, 1, 0x3f, 0x40, 0x80, 0xc0, 0xff, rng.randrange(256)))
        elif kind == 1:
            m[at:at] = rng.randbytes(rng.randrange(1, 20))
        elif kind == 2:
            del m[at:at + rng.randrange(1, 20)]
        elif kind == 3:
            del m[at:]
        elif m:
            m[at % len(m)] ^= 1 << rng.randrange(8)
    return bytes(m)


def resident(process):
    status = pathlib.Path(f'/proc/{process.p.pid}/status').read_text()
    return int(next(x for x in status.splitlines() if x.startswith('VmRSS')).split()[1])


def settled(n):
    """All of it has been looked at: one more question is answered, on both ways in."""
    for tcp in (False, True):
        zl.wait_for(lambda: n.ask(f'www.{ZONE}', 'A', tcp=tcp).answer[0][0].address == '192.0.2.80', 'an answer')


def send(n, rng, pool, count):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    tcp = None
    for i in range(count):
        m = mutated(rng, pool)
        udp.sendto(m, ('127.0.0.1', n.port))
        if i % 10 == 0:
            try:
                if tcp is None:
                    tcp = socket.create_connection(('127.0.0.1', n.port), timeout=5)
                    tcp.setblocking(False)
                length = len(m) if rng.randrange(20) else rng.randrange(65536)
                tcp.send(length.to_bytes(2, 'big') + m)
                if i % 200 == 0:
                    raise OSError
            except OSError:
                tcp = tcp and tcp.close()
        if i % 500 == 0:
            settled(n)  # so that the kernel drops none of what was sent
    udp.close()
    if tcp:
        tcp.close()


def test_a_storm_of_mutated_messages(node, place):
    seed = int(os.environ.get('ZL_SEED', '1'))
    rng, pool = random.Random(seed), seeds()
    n = node(level='warning', env={'ASAN_OPTIONS': 'quarantine_size_mb=1:detect_leaks=1'})
    (place / 'zone').write_text(zl.small_zone(1))
    n.start()
    n.zonectl('import', ZONE, place / 'zone')
    zl.wait_for(lambda: n.serial(ZONE) == 1, 'the zone')
    send(n, rng, pool, COUNT // 4)
    settled(n)
    before = resident(n.authd), resident(n.syncd)
    send(n, rng, pool, COUNT - COUNT // 4)
    settled(n)
    after = resident(n.authd), resident(n.syncd)
    assert n.authd.alive() and n.syncd.alive()
    grown = [b - a for a, b in zip(before, after)]
    assert max(grown) < 16384, f'seed {seed}: resident memory has grown by {grown} KiB'
    stats = n.json('stats')
    assert stats, 'the numbers are still told'
    n.verify()
