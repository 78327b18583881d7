"""zonectl import: a zone of our own from a file, its serial, what it would change, and files that include others."""
import os
import re

import pytest
import zl

ZONE = 'own.test'


def zone(serial, more=''):
    return f'$TTL 300\n@ SOA ns host {serial} 3600 600 86400 300\n@ NS ns\nns A 192.0.2.1\n{more}'


@pytest.fixture
def n(node):
    n = node().start()
    n.file = n.path / 'own.zone'
    n.file.write_text(zone(10))
    n.zonectl('import', ZONE, n.file)
    n.wait_serial(ZONE, 10)
    return n


def load(n, text, *args):
    n.file.write_text(text)
    return n.zonectl('import', ZONE, n.file, *args, check=False)


def test_the_serial_is_the_files_if_it_is_newer_and_goes_forward_anyway(n):
    assert load(n, zone(10, 'a A 192.0.2.1\n')).returncode == 0
    n.wait_serial(ZONE, 11)
    assert load(n, zone(20, 'a A 192.0.2.2\n'), '--serial', 'increment').returncode == 0
    n.wait_serial(ZONE, 20)
    r = load(n, zone(20, 'a A 192.0.2.2\n'))
    assert r.returncode == 1 and 'served already' in r.stderr
    assert load(n, zone(3, 'a A 192.0.2.3\n'), '--serial', 'date').returncode == 0
    assert re.fullmatch(r'20\d{6}00', str(n.zone(ZONE)['serial']))
    r = load(n, zone(3), '--serial', 'newest')
    assert r.returncode == 1 and 'keep, increment or date' in r.stderr


def test_keep_refuses_what_goes_backwards_unless_it_is_forced(n):
    for serial in (10, 9):
        r = load(n, zone(serial, 'a A 192.0.2.1\n'), '--serial', 'keep')
        assert r.returncode == 1
        assert f'{n.file}: ' in r.stderr and f'its serial {serial} is not newer than ours, 10' in r.stderr
        assert n.zonectl('import', ZONE, n.file, '--serial', 'keep', '--dry-run', check=False).returncode == 1
    assert n.serial(ZONE) == 10 and not n.ask(f'a.{ZONE}', 'A').answer
    assert load(n, zone(9, 'a A 192.0.2.1\n'), '--serial', 'keep', '--force').returncode == 0
    n.wait_serial(ZONE, 9)
    assert load(n, zone(12, 'a A 192.0.2.1\n'), '--serial', 'keep').returncode == 0, 'a newer serial alone'
    n.wait_serial(ZONE, 12)
    n.verify()


def test_a_dry_run_shows_the_exact_change(n):
    r = load(n, zone(11, 'a A 192.0.2.1\nb TXT "x y"\n').replace('ns A 192.0.2.1', 'ns A 192.0.2.53'), '--dry-run')
    assert r.returncode == 0
    lines = [x for x in r.stdout.splitlines() if x[:1] in '+-']
    assert lines == ['-own.test. 300 IN SOA ns.own.test. host.own.test. 10 3600 600 86400 300',
                     '-ns.own.test. 300 IN A 192.0.2.1',
                     '+own.test. 300 IN SOA ns.own.test. host.own.test. 11 3600 600 86400 300',
                     '+a.own.test. 300 IN A 192.0.2.1', '+b.own.test. 300 IN TXT "x y"', '+ns.own.test. 300 IN A 192.0.2.53']
    assert 'nothing was changed' in r.stdout and n.serial(ZONE) == 10 and len(n.log(ZONE)) == 1


def test_errors_name_the_line(n):
    for text, where in [(zone(11, 'a A 192.0.2.999\n'), ':5:'), (zone(11, 'elsewhere.example. A 192.0.2.1\n'), ':5:'),
                        (zone(11, '"\n'), ':5:'), (zone(11, 'a CH A 192.0.2.1\n'), ':5:'),
                        (zone(11, '@ CNAME x\n'), ': ')]:
        r = load(n, text)
        assert r.returncode == 1 and f'{n.file}{where}' in r.stderr, (text, r.stderr)
    assert n.serial(ZONE) == 10


def test_included_files_are_read_by_zonectl_below_the_file(n):
    (n.path / 'parts').mkdir()
    (n.path / 'parts/hosts').write_text('a A 192.0.2.1\n$ORIGIN sub\nb A 192.0.2.2\n$INCLUDE more sub2.own.test.\n')
    (n.path / 'parts/more').write_text('c A 192.0.2.3\n')
    r = load(n, zone(11, '$INCLUDE parts/hosts\nd A 192.0.2.4\n'))
    assert r.returncode == 0, r.stderr
    n.wait_serial(ZONE, 11)
    for name in ('a', 'b.sub', 'c.sub2', 'd'):
        assert n.ask(f'{name}.{ZONE}', 'A').answer, name
    r = n.zonectl('import', ZONE, '-', stdin=zone(12, f'$INCLUDE {os.path.relpath(n.path / "parts/more")}\n'), check=False)
    assert r.returncode == 1 and '-:5:' in r.stderr and 'outside' in r.stderr, 'below the present directory, for standard input'

    outside = n.path.parent / 'outside'
    outside.write_text('x A 192.0.2.1\n')
    (n.path / 'parts/bad').write_text('x A 192.0.2.1\ny A 1.2.3\n')
    (n.path / 'parts/far').write_text('www.example. A 192.0.2.1\n')
    (n.path / 'loop').write_text('$INCLUDE loop\n')
    for what, words in [('../outside', 'own.zone:5:10: '), (outside, 'lies outside'), ('nowhere', 'own.zone:5:10: '),
                        ('parts/bad', 'parts/bad:2:'), ('parts/far', 'parts/far:1:'), ('loop', 'includes itself')]:
        r = load(n, zone(12, f'$INCLUDE {what}\n'))
        assert r.returncode == 1 and words in r.stderr, (what, r.stderr)
    assert n.serial(ZONE) == 11
