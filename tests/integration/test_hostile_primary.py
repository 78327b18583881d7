"""Whatever a primary sends, the old version stays until a new one is whole, and the log says why.

    what it sends (hostile.py has most, by name)                                             outcome
    AXFR that is illegal or breaks off: KEPT_OLD                                             kept old, failure and reason told
    ... cut after many different octets                                                      kept old
    IXFR that does not fit: NOT_INCREMENTAL (test_ixfr.py)                                   whole zone instead, reason told
    answers to SOA probes: PROBES                                                            kept old, no transfer
    signatures: Signed, and streams signed now and then                                      kept old; accepted as RFC 8945 has it
    a key that goes at a reload in mid-transfer                                              old or new, never mixed
    octets that drip, streams without end                                                    kept old, bounded by time and size
    odd but legal streams, the longest records, names that only look wrong                   accepted
    NOTIFY that lies (test_notify.py), TLS that ends early (test_xot.py)                     kept old
"""
import signal
import struct
import threading
import time
import types

import dns.message
import dns.rdatatype
import dns.tsig
import pytest
import hostile
import zl

ZONE = 'example.test'


def settled(n, p, want):
    """Provokes one transfer and waits until the zone is said to fail with `want`."""
    before, failures = p.transfers, n.zone(ZONE)['failures']
    n.zonectl('refresh', ZONE)
    zl.wait_for(lambda: p.transfers > before, 'the transfer to be asked for')

    def failed():
        z = n.zone(ZONE)
        return z if z['failures'] > failures else None
    z = zl.wait_for(failed, 'the failure to be told', timeout=30)
    assert z['last_error'], z
    assert want.lower() in z['last_error'].lower(), f'{want!r} is not in {z["last_error"]!r}'
    return z['last_error']


def log_lines(n, since):
    return [line for line in n.syncd.text()[since:].splitlines() if 'warning' in line or 'error:' in line]


@pytest.mark.parametrize('part', range(4))
def test_every_bad_stream_leaves_the_old_version(part, primary, node):
    n = node(syncd='transfer-idle = 1s max-zone-size = 2M probe-timeout = 1s')
    p = primary(zl.small_zone(10))
    n.secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h', 'retry-max': '2h'}).start()
    n.wait_serial(ZONE, 10)
    wrong = []
    for i, (script, want) in enumerate(list(hostile.KEPT_OLD.items())[part::4]):
        p.text = zl.small_zone(20 + i)
        p.script = script
        since = len(n.syncd.text())
        try:
            settled(n, p, want)
        except AssertionError as e:
            wrong.append(f'{script.__name__}: {e}')
        if n.serial(ZONE) != 10:
            wrong.append(f'{script.__name__}: serial {n.serial(ZONE)} is served')
        lines = [x for x in log_lines(n, since) if ZONE in x]
        if not lines or not any('primary=hostile' in x and ('error=' in x or 'not taken' in x) for x in lines):
            wrong.append(f'{script.__name__}: the log does not say why: {lines}')
    assert not wrong, '\n'.join(wrong)
    assert len(n.log(ZONE)) == 1, 'nothing of it came into the history'
    p.script, p.text = None, zl.small_zone(1000)
    n.zonectl('refresh', ZONE)
    n.wait_serial(ZONE, 1000)
    zl.wait_for(lambda: n.zone(ZONE)['failures'] == 0, 'a good transfer to heal it')
    n.verify()


def test_a_transfer_cut_after_many_different_octets(primary, node):
    n = node(syncd='transfer-idle = 2s')
    p = primary(zl.small_zone(10))
    n.secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h', 'retry-max': '2h'}).start()
    n.wait_serial(ZONE, 10)
    p.text = zl.small_zone(11)
    cut = {'at': 0, 'size': None}

    def script(t):
        wire = t.good().to_wire(max_size=65535)
        stream = struct.pack('!H', len(wire)) + wire
        cut['size'] = len(stream)
        t.sock.sendall(stream[:cut['at']])
        t.sock.close()
    p.script = script
    settled(n, p, '')
    step = max(1, cut['size'] // 40)
    for at in [*range(1, cut['size'], step), cut['size'] - 2, cut['size'] - 1]:
        cut['at'] = at
        before = p.transfers
        n.zonectl('refresh', ZONE)
        zl.wait_for(lambda: p.transfers > before, 'another transfer')
    time.sleep(0.3)
    assert n.serial(ZONE) == 10 and len(n.log(ZONE)) == 1
    p.script = None
    n.zonectl('refresh', ZONE)
    n.wait_serial(ZONE, 11)
    n.verify()


def test_no_bad_answer_to_a_probe_leads_to_a_transfer(primary, node):
    n = node(syncd='probe-timeout = 100ms')
    p = primary(zl.small_zone(10))
    n.secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h', 'retry-max': '2h'}).start()
    n.wait_serial(ZONE, 10)
    transfers, wrong = p.transfers + p.increments, []
    p.text = zl.small_zone(20)
    for i, (name, script) in enumerate(hostile.PROBES.items()):
        p.probe_script = script
        n.zonectl('refresh', ZONE)
        zl.wait_for(lambda: n.zone(ZONE)['failures'] == i + 1, f'{name} to be told as a failure')
        if n.serial(ZONE) != 10 or p.transfers + p.increments != transfers or not n.zone(ZONE)['last_error']:
            wrong.append(name)
    assert not wrong, wrong
    p.probe_script = None
    n.zonectl('refresh', ZONE)
    n.wait_serial(ZONE, 20)
    n.verify()


def test_octets_that_drip_are_bounded_by_time(primary, node):
    n = node(syncd='transfer-max = 10s')
    p = primary(zl.small_zone(10))
    n.secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h', 'retry-max': '2h'}).start()
    n.wait_serial(ZONE, 10)

    def drip(t):
        wire = t.good().to_wire(max_size=65535)
        for octet in struct.pack('!H', len(wire)) + wire:
            t.sock.sendall(bytes([octet]))
            time.sleep(0.3)
    p.text, p.script = zl.small_zone(11), drip
    settled(n, p, 'not complete after 10 s')
    assert n.serial(ZONE) == 10
    p.script = None
    n.zonectl('refresh', ZONE)
    n.wait_serial(ZONE, 11)


def test_odd_but_legal_streams_are_accepted(primary, node):
    n = node()
    p = primary(zl.small_zone(1))

    def one_record_a_message(t):
        t.send(t.message([t.soa]), *[t.message([r], question=False) for r in t.rest], t.message([t.soa], question=False))

    def duplicates_and_mixed_ttls(t):
        odd = hostile.rr('ns1', 77, 'IN', 'A', '192.0.2.1')
        t.send(t.message([t.soa, *t.rest, *t.rest, odd, t.soa]))

    def upper_case(t):
        t.send(t.message([t.soa, *t.rest, hostile.rr('WWW2.EXAMPLE.TEST.', 300, 'IN', 'A', '192.0.2.1'), t.soa]))

    def one_octet_at_a_time(t):
        wire = t.good().to_wire(max_size=65535)
        for octet in struct.pack('!H', len(wire)) + wire:
            t.sock.sendall(bytes([octet]))

    def the_longest_records(t):
        """RDATA that fills a message by itself, to the last octet there can be."""
        most = 65535 - 12 - len(hostile.below(b'l')) - 10
        hostile.raw(t, hostile.below(b'l'), 65280, b'x' * most)

    def names_that_only_look_wrong(t):
        """Owners of NSEC3 that are no base32, the longest name, octets that no host has."""
        nsec3 = b'\x01\x00\x00\x00\x00\x14' + b'h' * 20 + b'\x00\x01\x40'
        longest = (b'\x3f' + b'x' * 63) * 3
        longest += bytes([255 - len(longest) - len(hostile.ORIGIN.to_wire()) - 1])
        longest += b'y' * longest[-1]
        zone = hostile.ORIGIN.to_wire()
        records = [(hostile.below(b'!not-base32!'), 50, nsec3), (longest + zone, 50, nsec3), (longest + zone, 16, b'\x03xyz'),
                   (hostile.below(b'\x00\xff .\\"'), 16, b'\x00')]
        t.send(t.message([t.soa, *t.rest]))
        for owner, rdtype, rdata in records:
            head = t.message([], question=False).to_wire()
            t.send(head[:6] + b'\x00\x01' + head[8:] + owner + struct.pack('!HHIH', rdtype, 1, 300, len(rdata)) + rdata)
        t.send(t.message([t.soa], question=False))
    p.script = one_record_a_message
    n.secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h'}).start()
    n.wait_serial(ZONE, 1)
    for i, script in enumerate((duplicates_and_mixed_ttls, upper_case, one_octet_at_a_time, the_longest_records, names_that_only_look_wrong)):
        p.text, p.script = zl.small_zone(2 + i), script
        n.zonectl('refresh', ZONE)
        n.wait_serial(ZONE, 2 + i)
        if script in (the_longest_records, names_that_only_look_wrong):
            assert zl.records(n.dump(ZONE), ZONE) > zl.records(p.text, ZONE)
    n.ask('!not-base32!.' + ZONE, 'A', want_dnssec=True)
    n.verify()


class Signed:
    """Scripts for a stream that must be signed."""

    @staticmethod
    def unsigned(t):
        t.send(t.good())

    @staticmethod
    def other_key(t):
        other = zl.Key(t.primary.key.name)
        m = t.good()
        m.use_tsig(other.ring(), other.name, algorithm=other.algorithm)
        m.request_mac = t.query.mac
        t.send(m)

    @staticmethod
    def altered(t):
        m = t.good()
        m.use_tsig(t.primary.key.ring(), t.primary.key.name, algorithm=t.primary.key.algorithm)
        m.request_mac = t.query.mac
        wire = m.to_wire(max_size=65535)
        t.send(wire.replace(b'\xc0\x00\x02\x19', b'\xc0\x00\x02\x42', 1))

    @staticmethod
    def last_unsigned(t):
        m = t.message([t.soa, *t.rest])
        m.use_tsig(t.primary.key.ring(), t.primary.key.name, algorithm=t.primary.key.algorithm)
        m.request_mac = t.query.mac
        t.send(m, t.message([t.soa], question=False))

    @staticmethod
    def an_hour_late(t):
        key = t.primary.key
        m = t.good()
        m.use_tsig(key.ring(), key.name, algorithm=key.algorithm)
        m.request_mac = t.query.mac
        clock = dns.message.time
        dns.message.time = types.SimpleNamespace(time=lambda: clock.time() - 3600)
        try:
            wire = m.to_wire(max_size=65535)
        finally:
            dns.message.time = clock
        t.send(wire)

    @staticmethod
    def mac_of_another_query(t):
        key = t.primary.key
        m = t.good()
        m.use_tsig(key.ring(), key.name, algorithm=key.algorithm)
        m.request_mac = bytes(len(t.query.mac))
        t.send(m)


@pytest.mark.parametrize('script', [Signed.unsigned, Signed.other_key, Signed.altered, Signed.last_unsigned,
                                    Signed.an_hour_late, Signed.mac_of_another_query],
                         ids=lambda f: f.__name__)
def test_a_stream_that_is_not_signed_right_is_refused(script, primary, node):
    key = zl.Key()
    n = node()
    p = primary(zl.small_zone(1), key)
    n.secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h', 'retry-max': '2h'}).start()
    n.wait_serial(ZONE, 1)
    p.text, p.script = zl.small_zone(2), script
    error = settled(n, p, '')
    assert n.serial(ZONE) == 1, error
    p.script = None
    n.zonectl('refresh', ZONE)
    n.wait_serial(ZONE, 2)
    n.verify()


def signed_stream(key, count, signs, pause=None):
    """A zone in `count` messages, of which those are signed that `signs` says."""
    def script(t):
        ctx = None
        bodies = [[t.soa, *t.rest]] + [[hostile.rr(f's{i}', 300, 'IN', 'TXT', f'"{i}"')] for i in range(count - 2)] + [[t.soa]]
        for i, body in enumerate(bodies):
            m = t.message(body, question=i == 0)
            if signs(i):
                m.use_tsig(key.ring(), key.name, algorithm=key.algorithm)
                m.request_mac = t.query.mac
                wire = m.to_wire(max_size=65535, multi=True, tsig_ctx=ctx)
                ctx = m.tsig_ctx
            else:
                wire = m.to_wire(max_size=65535)
                if ctx:
                    ctx.update(wire)
            t.send(wire)
            if pause and i == count // 2:
                pause(t)
    return script


@pytest.mark.parametrize('count, signs, taken', [
    (250, lambda i: i % 99 == 0 or i == 249, True),
    (250, lambda i: True, True),
    (250, lambda i: i in (0, 249), False),
    (50, lambda i: i != 0, False),
    (50, lambda i: i != 49, False),
], ids=['each 99th and the last', 'each', 'the first and the last of 250', 'all but the first', 'all but the last'])
def test_streams_that_are_signed_now_and_then(count, signs, taken, primary, node):
    key = zl.Key()
    n = node(level='info')
    p = primary(zl.small_zone(1), key)
    n.secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h', 'retry-max': '2h'}).start()
    n.wait_serial(ZONE, 1)
    p.text, p.script = zl.small_zone(2), signed_stream(key, count, signs)
    if taken:
        n.zonectl('refresh', ZONE)
        n.wait_serial(ZONE, 2)
    else:
        settled(n, p, 'sign')
        assert n.serial(ZONE) == 1
    n.verify()


def test_a_key_that_goes_at_a_reload_in_mid_transfer(primary, node):
    key = zl.Key()
    n = node()
    p = primary(zl.small_zone(1), key)
    n.secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h', 'retry-max': '1h'}).start()
    n.wait_serial(ZONE, 1)
    middle, go_on = threading.Event(), threading.Event()

    def pause(_):
        middle.set()
        assert go_on.wait(20)
    p.text, p.script = zl.small_zone(2), signed_stream(key, 20, lambda i: True, pause)
    n.zonectl('refresh', ZONE)
    assert middle.wait(20)
    p.script, p.text = None, zl.small_zone(3)
    n.primaries['hostile'] = (f'127.0.0.1@{p.port}', None)
    n.write_config()
    n.syncd.signal(signal.SIGHUP)
    zl.wait_for(lambda: 'configuration reloaded' in n.syncd.text(), 'the reload')
    go_on.set()
    assert n.serial(ZONE) in (1, 2, 3)
    n.zonectl('refresh', ZONE)
    n.wait_serial(ZONE, 3)
    assert zl.records(n.dump(ZONE), ZONE) == zl.records(zl.small_zone(3), ZONE)
    n.verify()
