"""Names and data with hostile octets come through transfer, store, journal, zonectl and answers unharmed."""
import dns.name
import dns.rdatatype
import pytest
import zl

# Presentation form of zone names, each a trap for git, a shell, a path, SQL, JSON or a terminal.
ZONES = ['a\\047b.test', 'x.lock', '-x.test', '%2e.test', 'head', '0123456789abcdef0123456789abcdef01234567', 'a\\032b.test',
         "quo'te\\034s.test", '\\000\\255.test', 'new\\010line.test', '\\027[31mred.test', '\\195\\164.test', '\\.\\..test', 'A.upper.test',
         'a\\064b.test', 'xn--bcher-kva.test', '.'.join(['l' * 63] * 3 + ['m' * 61])]
ZONE_TEXT = '''$TTL 300
@ SOA ns hostmaster {serial} 3600 600 86400 300
@ NS ns
ns A 192.0.2.1
txt TXT "quotes \\" back\\\\slash \\000 \\010 \\027[31m \\255" "{serial}"
odd\\000\\.\\032\\034\\255 A 192.0.2.2
*.wild A 192.0.2.3
'''


@pytest.fixture
def served(node):
    """A node that owns every zone of the list, each at two versions."""
    n = node().start()
    for zone in [*ZONES, '.']:
        for serial in (1, 2):
            text = ZONE_TEXT.format(serial=serial)
            if len(dns.name.from_text(zone).to_wire()) > 200:  # no room for anything below it
                text = f'$TTL 300\n@ SOA . . {serial} 3600 600 86400 300\n@ NS ns.elsewhere.test.\n@ TXT "{serial}"\n'
            path = n.path / 'z.zone'
            path.write_text(text)
            r = n.zonectl('import', '--reason', 'a\nZone: forged.\n\x1b[31m', '--', zone, path, check=False)
            assert r.returncode == 0, (zone, r.stderr)
    n.journaled()
    return n


def test_hostile_names_come_through(served):
    n = served
    names = {z['name'] for z in n.json('zone', 'list')}
    assert len(names) == len(ZONES) + 1
    for zone in [*ZONES, '.']:
        wire = dns.name.from_text(zone)
        zl.wait_for(lambda wire=wire: n.serial(wire) == 2, f'{zone} to be served')
        if len(wire.to_wire()) <= 200:
            r = n.ask(dns.name.from_text('txt', wire), 'TXT')
            assert r.answer[0][0].strings == (b'quotes " back\\slash \x00 \n \x1b[31m \xff', b'2')
            odd = dns.name.Name((b'odd\x00. "\xff', *wire.labels))
            assert n.ask(odd, 'A').answer[0][0].address == '192.0.2.2'
    n.verify()
    n.fsck()


def test_history_of_hostile_names(served):
    n = served
    for zone in [*ZONES, '.']:
        args = ('--', zone) if zone.startswith('-') else (zone,)
        log = n.json('log', *args)
        assert [v['serial'] for v in log] == [2, 1], zone
        assert n.zonectl('log', *args).stdout.isprintable() or '\x1b' not in n.zonectl('log', *args).stdout
        diff = n.json('diff', *args, 'v1', 'v2')
        assert len(diff['added']) == len(diff['removed']) > 0
        shown = n.zonectl('show', *(('--',) if zone.startswith('-') else ()), zone.replace('@', '\\@') + '@v1').stdout
        assert ' 1 3600 600 86400 300' in shown
    refs = n.git('for-each-ref', '--format=%(refname)', 'refs/heads').split()
    assert len(refs) == len(ZONES) + 1
    for ref in refs:
        part = ref.removeprefix('refs/heads/')
        assert len(part) <= 200 and not part.startswith(('-', '.')) and not part.endswith('.lock'), ref
        message = n.git('log', '-1', '--format=%B', ref)
        assert message.count('\nZone: ') == 1 and '\x1b' not in message, message
    for ref in refs[:5]:
        n.git('cat-file', '-e', ref + ':zone')


def test_a_clone_has_everything(served, place):
    n = served
    import subprocess
    subprocess.run(['git', 'clone', '--quiet', '--mirror', str(n.journal), str(place / 'clone')], check=True, capture_output=True)
    mine = n.git('for-each-ref', '--format=%(objectname) %(refname)', 'refs/heads')
    theirs = subprocess.run(['git', '--git-dir', str(place / 'clone'), 'for-each-ref', '--format=%(objectname) %(refname)', 'refs/heads'],
                            capture_output=True, text=True, check=True).stdout
    assert mine == theirs


@pytest.mark.parametrize('zone', ['.', 'head', 'x.lock', 'A.upper.test', '-x.test'])
def test_such_zones_are_transferred_too(zone, peer, node):
    n = node()
    p = peer('knot').notify_to(n)
    p.write(zone, ZONE_TEXT.format(serial=1))
    p.start()
    n.secondary_of(zone, p, **{'refresh-min': '1h', 'retry-min': '1h'}).start()
    n.wait_serial(zone, 1)
    p.load(zone, ZONE_TEXT.format(serial=2))
    n.wait_serial(zone, 2)
    n.verify()
