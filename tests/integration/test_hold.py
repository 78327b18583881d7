"""Holds that an operator begins without a rollback, and that end by themselves."""
import calendar
import time

import pytest
import zl
from test_rollback_serial import ZONE, text, upstream, www


def long_text(serial, count):
    return text(serial, f'192.0.2.{serial}') + ''.join(f'n{i} A 192.0.2.{i}\n' for i in range(count))


def held(peer, node, **options):
    n, p = upstream(peer, node, **options)
    n.start()
    n.wait_serial(ZONE, 10)
    return n, p


def said(n, text):
    return [x for x in n.syncd.text().splitlines() if text in x]


def test_until_a_newer_version_waits(peer, node):
    n, p = held(peer, node)
    n.zonectl('hold', ZONE, '--until-newer-than', '11', '--reason', 'eleven is known to be bad')
    z = n.zone(ZONE)
    assert z['state'] == 'held' and z['hold']['version'] == 1 and z['hold']['until_newer_than'] == 11
    assert 'a version newer than 11' in n.zonectl('zone', 'show', ZONE).stdout
    p.load(ZONE, text(11, '192.0.2.11'))
    zl.wait_for(lambda: n.zone(ZONE)['waiting'], 'serial 11 to wait')
    assert n.serial(ZONE) == 10
    n.kill()
    n.restart()  # the rule is in the store
    assert n.zone(ZONE)['hold']['until_newer_than'] == 11 and n.serial(ZONE) == 10
    p.load(ZONE, text(12, '192.0.2.12'))
    n.wait_serial(ZONE, 12)
    assert www(n.port) == '192.0.2.12' and n.zone(ZONE)['state'] == 'ok'
    newest = n.log(ZONE)[0]
    assert newest['origin'] == 'release' and newest['transport'] == 'rule'
    assert newest['reason'] == 'by rule, until newer than 11: 12 came; held: eleven is known to be bad'
    p.load(ZONE, text(13, '192.0.2.13'))
    n.wait_serial(ZONE, 13)
    n.verify()
    n.fsck()


def test_until_a_time_also_while_nobody_runs(peer, node):
    n, p = held(peer, node)
    n.zonectl('hold', ZONE, '--for', '2s')
    p.load(ZONE, text(11, '192.0.2.11'))
    n.wait_serial(ZONE, 11)
    assert n.log(ZONE)[0]['reason'].startswith('by rule, until 20')

    n.zonectl('hold', ZONE, '--for', '1h')
    p.load(ZONE, text(12, '192.0.2.12'))
    zl.wait_for(lambda: n.zone(ZONE)['waiting'], 'serial 12 to wait')
    n.zonectl('release', ZONE, '--for', '2s')  # a rule for a hold that is there
    until = n.zone(ZONE)['hold']['until']
    n.kill()
    end = calendar.timegm(time.strptime(until, '%Y-%m-%dT%H:%M:%SZ'))
    zl.wait_for(lambda: time.time() > end, 'the time to come while nobody runs')
    n.restart()
    n.wait_serial(ZONE, 12)
    assert n.zone(ZONE)['state'] == 'ok'
    for args, says in ((('--for', '2 hours'), 'time span'), (('--until', '1h ago'), 'is over'),
                       (('--until-newer-than', 'x'), 'no serial')):
        r = n.zonectl('hold', ZONE, *args, check=False)
        assert r.returncode == 1 and says in r.stderr, r.stderr
    assert n.zone(ZONE)['hold'] is None
    n.verify()


def test_a_rule_serves_nothing_that_a_guard_keeps_aside(peer, node):
    n, p = upstream(peer, node, first=long_text(10, 20), **{'guard-shrink-percent': 10})
    n.start()
    n.wait_serial(ZONE, 10)
    n.zonectl('hold', ZONE, '--until-newer-than', '10')
    p.load(ZONE, long_text(11, 5))
    zl.wait_for(lambda: said(n, 'a guard does not let the waiting version through'), 'the log to say why')
    assert n.zone(ZONE)['state'] == 'held' and n.serial(ZONE) == 10
    n.zonectl('hold', ZONE, '--until-newer-than', '10', '--reason', 'still')
    p.load(ZONE, long_text(12, 21))
    n.wait_serial(ZONE, 12)
    assert len(said(n, 'a guard does not let the waiting version through')) == 1, 'once a version'
    n.verify()


def test_a_rule_asks_the_guard_command_about_what_waited(peer, node, tmp_path):
    """What came during the hold was looked at by nobody, so the program has its say when the rule would serve it."""
    look = tmp_path / 'look'
    look.write_text('#!/bin/sh\n[ "$OLD_SERIAL" ] || exit 0\n! grep -q "192.0.2.11$" "$NEW_FILE" || { echo eleven is bad; exit 1; }\n')
    look.chmod(0o755)
    n, p = held(peer, node, **{'guard-command': f'{{"{look}"}}'})
    n.zonectl('hold', ZONE, '--until-newer-than', '10')
    p.load(ZONE, text(11, '192.0.2.11'))
    line = zl.wait_for(lambda: said(n, 'a guard does not let the waiting version through'), 'the log to say why')[0]
    assert 'eleven is bad' in line
    assert n.zone(ZONE)['state'] == 'held' and n.serial(ZONE) == 10
    p.load(ZONE, text(12, '192.0.2.12'))
    n.wait_serial(ZONE, 12)
    assert n.log(ZONE)[0]['transport'] == 'rule' and n.zone(ZONE)['state'] == 'ok'
    n.verify()


def test_a_clock_that_is_set_ends_no_hold_early(peer, node, place):
    clock = place / 'node' / 'clock'
    n, p = upstream(peer, lambda **o: node(env={'ZL_CLOCK_OFFSET_FILE': str(clock)}, **o))
    clock.write_text('0')
    n.start()
    n.wait_serial(ZONE, 10)
    years = 315360000
    n.zonectl('hold', ZONE, '--for', '1h')
    clock.write_text(str(years))
    p.load(ZONE, text(11, '192.0.2.11'))  # what comes has the rules looked at
    zl.wait_for(lambda: n.zone(ZONE)['waiting'], 'serial 11 to wait')
    n.journaled()
    if n.log(ZONE)[0]['at'] < '2030':
        pytest.skip('skipped: a release has no clock that can be turned')
    assert n.zone(ZONE)['state'] == 'held' and n.serial(ZONE) == 10
    clock.write_text(str(-years))
    n.zonectl('release', ZONE, '--for', '3s')
    clock.write_text('0')
    n.wait_serial(ZONE, 11)
    assert n.log(ZONE)[0]['reason'].startswith('by rule, until 20')
    n.verify()
