"""Changes arrive as increments (RFC 1995) where a primary has them; where they do not fit, the whole zone comes."""
import re

import hostile
import pytest
import zl

ZONE = 'example.test'
WITH_IXFR = ['bind9', 'knot', 'nsd']  # PowerDNS answers IXFR with the whole zone


@pytest.mark.parametrize('signed', [False, True], ids=['plain', 'tsig'])
@pytest.mark.parametrize('name', WITH_IXFR)
def test_changes_arrive_as_increments(name, signed, peer, node):
    """Also several at once: ours was away while the primary changed twice."""
    n = node()
    p = peer(name, zl.Key() if signed else None, ixfr=True).notify_to(n)
    p.write(ZONE, zl.small_zone(1))
    p.start()
    n.secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h'}).start()
    n.wait_serial(ZONE, 1)

    def change(serial):
        p.load(ZONE, zl.small_zone(serial, www=f'192.0.2.{80 + serial}', extra=f'new{serial} TXT "by increment"'))
        zl.wait_for(lambda: zl.serial(p.port, ZONE) == serial, f'the primary to load serial {serial}')
    change(2)
    n.wait_serial(ZONE, 2)
    n.journaled()
    n.stop()
    for serial in (3, 4, 5):
        change(serial)
    n.start()
    n.zonectl('refresh', ZONE)
    n.wait_serial(ZONE, 5)
    assert zl.records(n.dump(ZONE), ZONE) == zl.records(zl.small_zone(5, www='192.0.2.85', extra='new5 TXT "by increment"'), ZONE)
    n.journaled()
    log, origins = n.syncd.text(), [(v['serial'], v['origin']) for v in n.log(ZONE)]
    if name == 'nsd' and 'names a record twice' in log:  # NSD 4.6 adds what is there when it compares files itself
        assert origins == [(5, 'axfr'), (2, 'axfr'), (1, 'axfr')], log
    else:
        assert origins == [(5, 'ixfr'), (2, 'ixfr'), (1, 'axfr')], log
        assert 'kind=ixfr' in log and 'cannot be used' not in log
    n.verify()
    n.fsck()


def test_a_primary_without_increments_answers_with_the_zone(peer, node):
    n = node()
    p = peer('pdns').notify_to(n)
    p.write(ZONE, zl.small_zone(1))
    p.start()
    n.secondary_of(ZONE, p).start()
    n.wait_serial(ZONE, 1)
    p.load(ZONE, zl.small_zone(2))
    n.wait_serial(ZONE, 2)
    n.journaled()
    assert [(v['serial'], v['origin']) for v in n.log(ZONE)] == [(2, 'axfr'), (1, 'axfr')]
    n.verify()


def test_increments_can_be_switched_off(primary, node):
    n = node(primary_options={'hostile': 'ixfr = no'})
    p = primary(zl.small_zone(1))
    n.secondary_of(ZONE, p).start()
    n.wait_serial(ZONE, 1)
    p.text = zl.small_zone(2)
    n.zonectl('refresh', ZONE)
    n.wait_serial(ZONE, 2)
    assert p.increments == 0 and p.transfers == 2


def test_increments_that_do_not_fit_are_followed_by_the_whole_zone(primary, node):
    """The reason is logged, nothing of the increments is kept, and the zone is as the primary has it."""
    n = node(syncd='transfer-idle = 2s probe-timeout = 1s')
    p = primary(zl.small_zone(10))
    n.secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h', 'retry-max': '2h'}).start()
    n.wait_serial(ZONE, 10)
    wrong = []
    for name, (script, want) in hostile.NOT_INCREMENTAL.items():
        p.text, p.ixfr_script = zl.small_zone(12, www='192.0.2.82'), script
        since, increments, transfers = len(n.syncd.text()), p.increments, p.transfers
        n.zonectl('refresh', ZONE)
        n.wait_serial(ZONE, 12)
        lines = [x for x in n.syncd.text()[since:].splitlines() if 'the whole zone is fetched' in x and ZONE in x]
        if len(lines) != 1 or want.lower() not in lines[0].lower():
            wrong.append(f'{name}: {want!r} is not in {lines}')
        # a connection that was there already may have been closed just then, so it is asked again on a new one
        asked = (1, 2) if name == 'hangs up' else (1,)
        if p.increments - increments not in asked or p.transfers != transfers + 1:
            wrong.append(f'{name}: {p.increments - increments} increments and {p.transfers - transfers} transfers were asked for')
        if zl.records(n.dump(ZONE), ZONE) != zl.records(p.text, ZONE):
            wrong.append(f'{name}: {n.dump(ZONE)}')
        p.text, p.ixfr_script = zl.small_zone(10), None
        n.zonectl('retransfer', ZONE)
        n.wait_serial(ZONE, 10)
    assert not wrong, '\n'.join(wrong)
    fallbacks = {k: int(v) for k, v in re.findall(r'^zoneledger_transfers_in_fallbacks_total\{reason="([^"]+)"\} (\d+)$', n.zonectl('metrics').stdout, re.M)}
    assert sum(fallbacks.values()) == len(hostile.NOT_INCREMENTAL), fallbacks
    assert fallbacks['error code'] == 3 and fallbacks['content'] > 5 and fallbacks['protocol'] > 5 and fallbacks['connection'] >= 2, fallbacks
    n.verify()


def test_a_transfer_that_fails_is_told_whole(primary, node):
    """Who, how, why in a word and in a sentence, and how far it came; and it is counted by that word."""
    n = node(syncd='transfer-idle = 2s')
    p = primary(zl.small_zone(10))
    n.secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h'}).start()
    n.wait_serial(ZONE, 10)
    p.text = zl.small_zone(11)

    def stops_half_way(t):
        t.send(t.message([t.soa, *t.rest[:3]]))
        t.sock.shutdown(hostile.socket.SHUT_WR)
    for script, reason, records in ((stops_half_way, 'connection', 5), (hostile.rcode(hostile.dns.rcode.REFUSED), 'error code', 0),
                                    (hostile.outside_record, 'content', None), (hostile.soa_in_the_middle, 'protocol', None)):
        p.script, since = script, len(n.syncd.text())
        n.zonectl('retransfer', ZONE)
        line = zl.wait_for(lambda: next((x for x in n.syncd.text()[since:].splitlines() if 'the old' in x and 'kind=' in x), None), 'the failure to be logged')
        want = ['zone=example.test.', 'primary=hostile', f'address=127.0.0.1@{p.port}', 'transport=tcp', 'kind=axfr', 'octets=', 'ms=', 'next_try=']
        want += [f'reason="{reason}"' if ' ' in reason else f'reason={reason}', 'records=' if records is None else f'records={records} ']
        assert all(w in line for w in want), (want, line)
        assert f'zoneledger_transfers_in_failed_total{{reason="{reason}"}} 1' in n.zonectl('metrics').stdout
    assert n.serial(ZONE) == 10


def test_odd_but_legal_increments_are_taken(primary, node):
    n = node()
    p = primary(zl.small_zone(10))
    n.secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h'}).start()
    n.wait_serial(ZONE, 10)

    def one_record_a_message(t):
        records = [t.soa, *hostile.two_steps(t), t.soa]
        t.send(*[t.message([r], question=i == 0) for i, r in enumerate(records)])

    def the_whole_zone(t):
        t.send(t.good())

    def the_whole_zone_a_record_a_message(t):
        t.send(t.message([t.soa]), *[t.message([r], question=False) for r in t.rest], t.message([t.soa], question=False))

    def back_and_forth(t):
        """A record goes in one sequence and comes again in the next."""
        t.send(t.message([t.soa, *hostile.step(t, 10, 11, 80, 81), hostile.soa_with(t, 11), hostile.www(81), hostile.version(11),
                          hostile.soa_with(t, 12), hostile.www(80), hostile.version(12), t.soa]))

    def goes_and_comes_as_it_was(t):
        t.send(t.message([t.soa, hostile.soa_with(t, 10), hostile.www(80), hostile.version(10),
                          hostile.soa_with(t, 12), hostile.www(80), hostile.version(12), t.soa]))

    def upper_case(t):
        up = lambda r: hostile.rr(str(r.name).upper(), r.ttl, 'IN', 'A', r[0].to_text())
        t.send(t.message([t.soa, hostile.soa_with(t, 10), up(hostile.www(80)), hostile.version(10),
                          hostile.soa_with(t, 12), up(hostile.www(82)), hostile.version(12), t.soa]))

    condensed = hostile.increments(lambda t: hostile.step(t, 10, 12, 80, 82))
    for script, www in ((one_record_a_message, 82), (the_whole_zone, 82), (the_whole_zone_a_record_a_message, 82),
                        (back_and_forth, 80), (goes_and_comes_as_it_was, 80), (upper_case, 82), (condensed, 82)):
        p.text, p.ixfr_script, transfers = zl.small_zone(12, www=f'192.0.2.{www}'), script, p.transfers
        n.zonectl('refresh', ZONE)
        n.wait_serial(ZONE, 12)
        assert p.transfers == transfers, script.__name__
        assert zl.records(n.dump(ZONE), ZONE) == zl.records(p.text, ZONE), script.__name__
        p.text, p.ixfr_script = zl.small_zone(10), None
        n.zonectl('retransfer', ZONE)
        n.wait_serial(ZONE, 10)
    n.verify()


def test_a_primary_that_is_not_newer_says_so_with_one_soa(primary, node):
    """The probe promised serial 12, the answer to IXFR has 10 again: no harm, and no transfer."""
    n = node()
    p = primary(zl.small_zone(10))
    n.secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h'}).start()
    n.wait_serial(ZONE, 10)
    p.text, transfers = zl.small_zone(12), p.transfers

    def current(t):
        p.text = zl.small_zone(10)
        t.send(t.message([hostile.soa_with(t, 10)]))
    p.ixfr_script = current
    n.zonectl('refresh', ZONE)
    zl.wait_for(lambda: p.increments == 1 and n.zone(ZONE)['primary_serial'] == 10, 'the answer to be taken')
    assert p.transfers == transfers and n.serial(ZONE) == 10 and n.zone(ZONE)['failures'] == 0


def test_after_a_rollback_the_zone_is_fetched_whole(primary, node):
    """What is served is not what the primary's increments would change."""
    n = node()
    p = primary(zl.small_zone(10))
    n.secondary_of(ZONE, p, **{'refresh-min': '1h', 'retry-min': '1h'}).start()
    n.wait_serial(ZONE, 10)
    p.text = zl.small_zone(11)
    n.zonectl('refresh', ZONE)
    n.wait_serial(ZONE, 11)
    n.journaled()
    n.zonectl('rollback', ZONE, '--to', 'v1', '--serial', 'exact', '--reason', 'try')
    n.wait_serial(ZONE, 10)
    increments, p.text = p.increments, zl.small_zone(12)
    n.zonectl('refresh', ZONE)
    zl.wait_for(lambda: n.log(ZONE)[0]['serial'] == 12, 'serial 12 to wait')
    assert p.increments == increments and n.serial(ZONE) == 10
    n.zonectl('release', ZONE)
    n.wait_serial(ZONE, 12)
    n.verify()
