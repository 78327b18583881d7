"""A program of the operator's has the last word on a new version, and nobody waits for it but its zone."""
import os
import pathlib
import pwd
import signal
import stat

import pytest
import zl

ZONE = 'example.test'
OTHER = 'other.test'
EXAMPLE = pathlib.Path(__file__).parents[2] / 'conf' / 'guard-example.sh'


def zone(serial, name=ZONE, extra='shop A 192.0.2.80'):
    return zl.small_zone(serial, extra=extra).replace(ZONE, name)


def script(path, body):
    path.write_text('#!/bin/sh\n' + body)
    path.chmod(0o755)
    return path


def command(path, *args):
    return '{' + ', '.join(f'"{a}"' for a in (path, *args)) + '}'


def judged(node, peer, path, *args, **options):
    """A primary and its secondary, which asks this program; the first version is in."""
    p = peer('knot')
    n = node(syncd='guard-commands = 1').secondary_of(ZONE, p, guard_command=command(path, *args), **options)
    n.secondary_of(OTHER, p)
    for name in (ZONE, OTHER):
        p.write(name, zone(1, name))
    p.start()
    n.start()
    for name in (ZONE, OTHER):
        n.wait_serial(name, 1)
    return p, n


def send(p, n, text, name=ZONE):
    p.load(name, text)
    n.zonectl('refresh', name)


def aside(n, why):
    q = zl.wait_for(lambda: n.zone(ZONE)['quarantine'], 'the version to be kept aside')
    assert why in q['reason'], q
    return q


def no_files(n):
    return not list((n.data / 'guard').iterdir())


def alive(pid):
    try:
        return pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def pid_in(path):
    return int(zl.wait_for(lambda: path.exists() and path.read_text().strip(), 'the command to run'))


def test_the_example_keeps_names_from_losing_their_addresses(node, peer):
    p, n = judged(node, peer, EXAMPLE, 'shop', 'mail')
    send(p, n, zone(2, extra=''))
    q = aside(n, f'guard-example.sh: shop.{ZONE}. has no address any more (serial 1 to 2)')
    assert n.serial(ZONE) == 1 and n.zone(ZONE)['state'] == 'quarantined'
    assert f'-shop.{ZONE}.' in n.zonectl('quarantine', 'diff', ZONE).stdout
    n.zonectl('retransfer', ZONE)  # the same once more is kept once
    zl.wait_for(lambda: n.syncd.text().count('a version is refused') > 1, 'it to be judged again')
    assert n.zone(ZONE)['quarantine'] == q
    send(p, n, zone(3, extra='shop A 192.0.2.81'))
    n.wait_serial(ZONE, 3)
    assert n.zone(ZONE)['quarantine'] is None and zl.wait_for(lambda: no_files(n), 'the files to be gone')
    assert stat.S_IMODE((n.data / 'guard').stat().st_mode) == 0o700
    n.journaled()
    n.verify()


def test_it_sees_both_zones_and_their_difference_and_nothing_of_us(node, peer, tmp_path):
    seen = tmp_path / 'seen'
    path = script(tmp_path / 'look', f'{{ env; ls -ld $(dirname $NEW_FILE); for f in OLD NEW DIFF; do echo == $f; eval cat \\$${{f}}_FILE; '
                                     f'done; grep -E "Cap(Eff|Prm|Bnd|Amb)|NoNewPrivs" /proc/self/status; ls -l /proc/self/fd; }} >{seen}.new; '
                                     f'mv {seen}.new {seen}\n')
    p, n = judged(node, peer, path)
    first = seen.read_text()
    assert 'OLD_SERIAL=\n' in first and 'NEW_SERIAL=1\n' in first and '== OLD\n== NEW\n' in first
    seen.unlink()
    send(p, n, zone(2, extra='shop A 192.0.2.99'))
    n.wait_serial(ZONE, 2)
    text = seen.read_text()
    head, old, new, diff = text.split('\n== ')
    names = {line.split('=')[0] for line in head.splitlines() if '=' in line}
    assert names - {'PWD', 'SHLVL', '_', 'OLDPWD'} == {
        'PATH', 'LC_ALL', 'ZONE', 'OLD_SERIAL', 'NEW_SERIAL', 'OLD_FILE', 'NEW_FILE', 'DIFF_FILE'}
    assert f'ZONE={ZONE}.' in head and 'OLD_SERIAL=1' in head and 'drwx------' in head
    assert f'shop.{ZONE}. 300 IN A 192.0.2.80' in old and f'shop.{ZONE}. 300 IN A 192.0.2.99' in new
    assert diff.splitlines()[1:7] == n.zonectl('diff', ZONE, 'v1', 'v2').stdout.splitlines()
    status = diff.splitlines()
    assert 'CapEff:\t' + '0' * 16 in status and 'CapPrm:\t' + '0' * 16 in status and 'NoNewPrivs:\t1' in status
    assert 'socket:' not in text and 'zoneledger.db' not in text


@pytest.mark.skipif(os.geteuid() != 0, reason='skipped: only root can run it as somebody else')
def test_it_runs_as_another_user_who_can_read_its_files_and_no_secret(node, peer):
    who = pwd.getpwnam('daemon')
    p = peer('knot')
    n = node(syncd='guard-user = "daemon"')
    seen = n.path / 'seen'  # a place that he can reach
    seen.touch()
    seen.chmod(0o666)
    secret = n.path / 'secret'
    secret.write_text('secret\n')
    secret.chmod(0o600)
    path = script(n.path / 'look', f'{{ id -u; wc -l <$NEW_FILE; cat {secret}; }} >{seen} 2>&1\nexit 0\n')
    n.secondary_of(ZONE, p, guard_command=command(path))
    n.data.mkdir()
    os.chown(n.data, 0, who.pw_gid)
    n.data.chmod(0o2750)
    p.write(ZONE, zone(1))
    p.start()
    n.start()
    n.wait_serial(ZONE, 1)
    lines = seen.read_text().splitlines()
    assert lines[0] == str(who.pw_uid) and int(lines[1]) > 10 and 'Permission denied' in lines[2] and 'secret' not in lines, lines


def test_one_that_hangs_is_ended_and_others_go_on(node, peer, tmp_path):
    started = tmp_path / 'pid'
    path = script(tmp_path / 'hang', f'[ "$OLD_SERIAL" ] || exit 0\nsleep 600 & echo $! >{started}\nwait\n')
    p, n = judged(node, peer, path, guard_command_time='2s')
    send(p, n, zone(2))
    sleeper = pid_in(started)
    send(p, n, zone(2, OTHER), OTHER)  # its only thread waits for nobody
    n.wait_serial(OTHER, 2)
    aside(n, 'hang: it took longer than 2 s and was ended')
    zl.wait_for(lambda: not alive(sleeper), 'what it had started to be gone')
    assert n.serial(ZONE) == 1 and zl.wait_for(lambda: no_files(n), 'the files to be gone')


def test_what_it_prints_is_harmless_and_so_is_its_death(node, peer, tmp_path):
    how = tmp_path / 'how'
    how.write_text('exit 0')
    path = script(tmp_path / 'judge', f'. {how}\n')
    p, n = judged(node, peer, path)
    cases = [('exit 3', 'judge: it ended with 3'),
             ("printf '\\n\\033[2J\\377 a=\"b\"\\nsecond\\n' >&2; exit 1", 'judge: \\027[2J\\255 a="b"'),
             ('head -c 5000000 /dev/zero | tr "\\0" x; exit 1', 'judge: ' + 'x' * 199),
             ('kill -9 $$', 'judge: it was killed by signal 9'),
             ('exec /nonexistent', 'judge: ')]
    for serial, (body, why) in enumerate(cases, 2):
        how.write_text(body)
        send(p, n, zone(serial))
        q = zl.wait_for(lambda: (q := n.zone(ZONE)['quarantine']) and q['version'] == serial and q, f'{body} to be judged')
        assert q['reason'].startswith(why) and '\n' not in q['reason'], q
    assert n.serial(ZONE) == 1
    how.write_text('exit 0')
    send(p, n, zone(20))
    n.wait_serial(ZONE, 20)
    n.journaled()
    n.fsck()
    n.verify()


def test_what_cannot_be_asked_may_be_told_to_let_pass(node, peer, tmp_path):
    missing = tmp_path / 'missing'
    p, n = judged(node, peer, missing, guard_command_failure='serve')
    send(p, n, zone(2))
    n.wait_serial(ZONE, 2)
    assert 'a version that looks odd is taken' in n.syncd.text() and 'missing: it could not be run' in n.syncd.text()
    n.zone_options[ZONE]['guard-command-failure'] = 'quarantine'
    n.write_config()
    n.syncd.signal(signal.SIGHUP)
    zl.wait_for(lambda: 'configuration reloaded' in n.syncd.text(), 'the reload')
    send(p, n, zone(3))
    aside(n, 'missing: it could not be run')
    n.zone_options[ZONE]['guard-command'] = command('/bin/true')  # the helper reads it again, too
    del n.zone_options[ZONE]['guard_command']
    n.write_config()
    n.syncd.signal(signal.SIGHUP)
    zl.wait_for(lambda: n.syncd.text().count('configuration reloaded') == 2, 'the reload')
    send(p, n, zone(4))
    n.wait_serial(ZONE, 4)


def test_a_kill_while_it_runs_leaves_nothing_half_done(node, peer, tmp_path):
    started = tmp_path / 'pid'
    wait = tmp_path / 'wait'
    path = script(tmp_path / 'slow', f'[ -e {wait} ] || exit 0\necho $$ >{started}\nsleep 600\n')
    p, n = judged(node, peer, path)
    wait.touch()
    send(p, n, zone(2))
    running = pid_in(started)
    n.syncd.kill()
    zl.wait_for(lambda: not alive(running), 'the command to go with syncd')
    assert len(list((n.data / 'guard').iterdir())) == 1
    wait.unlink()
    n.restart()
    n.wait_serial(ZONE, 2)  # fetched, and judged, once more
    assert [v['version'] for v in n.log(ZONE)] == [2, 1] and zl.wait_for(lambda: no_files(n), 'the files to be gone')
    started.unlink()
    wait.touch()
    send(p, n, zone(3))
    running = pid_in(started)
    n.zonectl('rollback', ZONE, '--to', 'v1', '--serial', 'exact')  # an operator decides meanwhile: the version waits
    wait.unlink()
    pathlib.Path(f'/proc/{running}').exists() and os.kill(running, signal.SIGKILL)
    zl.wait_for(lambda: n.zone(ZONE)['waiting'], 'the newest version to wait')
    assert n.serial(ZONE) == 1
    n.verify()
