"""A version that cannot be meant so is kept aside: the old one stays, and an operator decides."""
import subprocess

import pytest
import zl
from signed_zones import sign_ldns

ZONE = 'example.test'
GUARDS = {'guard_shrink_percent': 50, 'guard_apex_ns': 'quarantine', 'guard_serial_jump': 1000000}


def big(serial, hosts=40, **kw):
    return zl.small_zone(serial, extra='\n'.join(f'h{i} A 192.0.2.{i}' for i in range(hosts)), **kw)


def guarded(node, peer, which='knot', ixfr=False, **guards):
    p = peer(which, ixfr=ixfr)
    n = node().secondary_of(ZONE, p, **{**GUARDS, **guards})
    p.write(ZONE, big(1))
    p.start()
    n.start()
    n.wait_serial(ZONE, 1)
    return p, n


def send(p, n, text):
    p.load(ZONE, text)
    n.zonectl('refresh', ZONE)


def aside(n):
    return n.zone(ZONE)['quarantine']


def wait_aside(n, version=None):
    def there():
        q = aside(n)
        return q and (version is None or q['version'] == version) and q
    return zl.wait_for(there, 'the version to be kept aside')


@pytest.mark.parametrize('which', ['knot', 'nsd', 'bind9', 'pdns'])
def test_most_of_a_zone_is_gone_and_the_old_version_stays(node, peer, which):
    p, n = guarded(node, peer, which)
    send(p, n, big(2, hosts=1))
    q = wait_aside(n)
    assert 'records left' in q['reason'] and not q['rejected']
    assert n.serial(ZONE) == 1 and n.zone(ZONE)['state'] == 'quarantined'
    assert n.ask(f'h7.{ZONE}', 'A').answer
    shown = n.zonectl('status').stdout
    assert 'quarantined' in shown and ZONE in shown
    assert q['reason'] in n.zonectl('quarantine', 'list').stdout
    diff = n.zonectl('quarantine', 'diff', ZONE).stdout
    assert f'-h7.{ZONE}.' in diff and '+' in diff
    assert 'a new version is quarantined' in n.syncd.text() and 'zoneledger_zones{state="quarantined"} 1' in n.zonectl('metrics').stdout
    assert f'h7.{ZONE}.' not in n.zonectl('quarantine', 'show', ZONE).stdout
    n.journaled()
    said = n.git('log', '-1', '--format=%s%n%b', f'refs/quarantine/{ZONE}')
    assert 'quarantined' in said and f'Reason: {q["reason"]}' in said and 'Waiting: quarantine' in said
    n.fsck()
    n.verify()


def test_an_operator_approves_it(node, peer):
    p, n = guarded(node, peer)
    send(p, n, big(2, hosts=1))
    wait_aside(n)
    dry = n.zonectl('quarantine', 'approve', ZONE, '--dry-run').stdout
    assert 'nothing was changed' in dry and n.serial(ZONE) == 1
    n.zonectl('quarantine', 'approve', ZONE, '--reason', 'the hosts have moved')
    n.wait_serial(ZONE, 2)
    assert aside(n) is None and zl.wait_for(lambda: n.zone(ZONE)['state'] == 'ok', 'all to be well')
    newest = n.log(ZONE)[0]
    assert newest['origin'] == 'release' and newest['reason'] == 'the hosts have moved'
    again = n.zonectl('quarantine', 'approve', ZONE, check=False)
    assert again.returncode == 1 and 'no version of the zone is quarantined' in again.stderr
    send(p, n, big(3, hosts=2))  # what is served now is what the next one is compared with
    n.wait_serial(ZONE, 3)
    n.verify()


def test_a_good_version_ends_it_by_itself(node, peer):
    p, n = guarded(node, peer)
    send(p, n, big(2, hosts=1))
    wait_aside(n)
    send(p, n, big(3, hosts=41))
    n.wait_serial(ZONE, 3)
    assert aside(n) is None
    n.verify()


def test_a_rejected_one_is_not_asked_about_again(node, peer):
    p, n = guarded(node, peer)
    send(p, n, big(2, hosts=1))
    first = wait_aside(n)
    n.zonectl('quarantine', 'reject', ZONE, '--reason', 'a broken script')
    assert aside(n)['rejected'] and n.zone(ZONE)['state'] != 'quarantined'
    n.zonectl('retransfer', ZONE)
    zl.wait_for(lambda: n.syncd.text().count('a version is refused') > 1, 'it to be fetched once more')
    assert aside(n)['rejected'] and aside(n)['version'] == first['version'] and n.serial(ZONE) == 1
    send(p, n, big(3, hosts=2))  # another one: the operator is asked again
    assert wait_aside(n, first['version'] + 1)['rejected'] is False
    n.zonectl('quarantine', 'approve', ZONE)
    n.wait_serial(ZONE, 3)
    n.verify()


def test_the_same_version_is_kept_once_however_often_it_comes(node, peer):
    p, n = guarded(node, peer)
    send(p, n, big(2, hosts=1))
    q = wait_aside(n)
    versions = len(n.log(ZONE))
    for _ in range(2):
        refused = n.syncd.text().count('a version is refused')
        n.zonectl('retransfer', ZONE)
        zl.wait_for(lambda: n.syncd.text().count('a version is refused') > refused, 'it to be fetched again')
    n.syncd.kill()
    n.restart()
    assert aside(n) == q
    n.zonectl('retransfer', ZONE)
    zl.wait_for(lambda: n.syncd.text().count('a version is refused') > refused + 1, 'it to be fetched after the restart')
    assert aside(n) == q and len(n.log(ZONE)) == versions and n.serial(ZONE) == 1
    n.verify()


def test_increments_are_judged_too(node, peer):
    p, n = guarded(node, peer, ixfr=True)
    send(p, n, big(2, hosts=41))
    n.wait_serial(ZONE, 2)
    assert n.log(ZONE)[0]['origin'] == 'ixfr'
    send(p, n, big(3, hosts=2))
    assert 'records left' in wait_aside(n)['reason']
    send(p, n, big(4, hosts=1))  # a second one stands behind the first
    q = zl.wait_for(lambda: aside(n)['version'] == 4 and aside(n), 'the second one')
    n.journaled()
    assert n.git('rev-list', '--count', f'{ZONE}..refs/quarantine/{ZONE}').strip() == '2'
    n.zonectl('quarantine', 'approve', ZONE)
    n.wait_serial(ZONE, 4)
    assert q['version'] == 4
    n.verify()


def test_other_nameservers_and_a_serial_far_ahead(node, peer):
    p, n = guarded(node, peer)
    send(p, n, big(2).replace('ns1', 'ns9'))
    assert 'NS records' in wait_aside(n)['reason']
    send(p, n, big(5000000))
    assert 'ahead' in wait_aside(n, 3)['reason']
    assert n.serial(ZONE) == 1
    send(p, n, big(5000001).replace('ns1', 'ns9'))
    reason = wait_aside(n, 4)['reason']
    assert 'ahead' in reason and 'NS records' in reason


def test_alert_serves_it_and_says_so(node, peer):
    p, n = guarded(node, peer, guard_apex_ns='alert')
    send(p, n, big(2).replace('ns1', 'ns9'))
    n.wait_serial(ZONE, 2)
    assert 'a version that looks odd is taken' in n.syncd.text()


def test_killed_while_it_is_kept_aside(node, peer):
    p, n = guarded(node, peer)
    for serial in range(2, 8):
        send(p, n, big(serial, hosts=serial % 3))
        n.syncd.kill()
        n.restart()
        assert n.serial(ZONE) == 1
    n.zonectl('refresh', ZONE)
    wait_aside(n)
    n.zonectl('quarantine', 'approve', ZONE)
    n.wait_serial(ZONE, 7)
    n.verify()


def test_a_wrong_word_is_refused_with_its_place(node, peer):
    p = peer('knot')
    n = node().secondary_of(ZONE, p, guard_apex_ns='perhaps')
    n.write_config()
    r = subprocess.run([zl.BIN / 'syncd', '-c', n.conf], capture_output=True, text=True)
    assert r.returncode != 0 and 'guard-apex-ns should be ignore, alert or quarantine' in r.stderr


def test_a_store_made_anew_from_the_history_asks_again(node, peer):
    p, n = guarded(node, peer)
    send(p, n, big(2, hosts=1))
    q = wait_aside(n)
    n.journaled()
    n.stop()
    for path in n.data.glob('zoneledger.db*'):
        path.unlink()
    made = subprocess.run([zl.BIN / 'zonectl', '-c', n.conf, 'journal', 'restore'], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    n.restart()
    assert aside(n) == q and n.serial(ZONE) == 1
    n.zonectl('quarantine', 'approve', ZONE)
    n.wait_serial(ZONE, 2)
    n.verify()


def digested(tmp_path, serial, www='192.0.2.80'):
    return sign_ldns(tmp_path, ZONE, zl.small_zone(serial, www=www), '-z', '1:1')


@pytest.mark.parametrize('word', ['if-present', 'required'])
def test_a_zone_whose_digest_is_wrong(node, peer, tmp_path, word):
    if not zl.tool('ldns-signzone'):
        pytest.skip('skipped: ldnsutils is not installed')
    good, tampered = digested(tmp_path, 1), digested(tmp_path, 2).replace('192.0.2.80', '203.0.113.66')
    assert 'ZONEMD' in good and '203.0.113.66' in tampered
    p = peer('knot')
    n = node().secondary_of(ZONE, p, guard_zonemd=word)
    p.write(ZONE, good)
    p.start()
    n.start()
    n.wait_serial(ZONE, 1)
    send(p, n, tampered)
    assert 'digest' in wait_aside(n)['reason'] and n.serial(ZONE) == 1
    send(p, n, digested(tmp_path, 3))
    n.wait_serial(ZONE, 3)
    send(p, n, zl.small_zone(4))
    if word == 'required':
        assert 'ZONEMD' in wait_aside(n)['reason'] and n.serial(ZONE) == 3
    else:
        n.wait_serial(ZONE, 4)
    n.verify()


def test_a_first_version_whose_digest_is_wrong_is_refused(node, peer, tmp_path):
    if not zl.tool('ldns-signzone'):
        pytest.skip('skipped: ldnsutils is not installed')
    p = peer('knot')
    n = node().secondary_of(ZONE, p, guard_zonemd='if-present')
    p.write(ZONE, digested(tmp_path, 1).replace('192.0.2.80', '203.0.113.66'))
    p.start()
    n.start()
    zl.wait_for(lambda: 'digest' in (n.zone(ZONE)['last_error'] or ''), 'the reason to be shown')
    assert n.serial(ZONE) is None and n.log(ZONE) == []
    send(p, n, digested(tmp_path, 2))
    n.wait_serial(ZONE, 2)
