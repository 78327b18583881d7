"""A new version whose signatures nobody would believe is kept aside: what resolvers believe stays served."""
import re
import subprocess

import pytest
import zl
from test_quarantine import ZONE, aside, send, wait_aside


class Signer:
    """ldns-signzone, with the same keys each time."""

    def __init__(self, place):
        if not zl.tool('ldns-signzone'):
            pytest.skip('skipped: ldnsutils is not installed')
        self.place = place
        self.keys = [self.run('ldns-keygen', '-a', 'ECDSAP256SHA256', *k, ZONE).strip() for k in ((), ('-k',))]

    def run(self, *args):
        return subprocess.run([str(a) for a in args], cwd=self.place, capture_output=True, text=True, check=True).stdout

    def sign(self, serial, *options, **kw):
        plain = self.place / 'plain'
        plain.write_text(zl.small_zone(serial, **kw))
        self.run('ldns-signzone', *options, '-f', self.place / 'signed', plain, *self.keys)
        return (self.place / 'signed').read_text()

    def anchor(self):
        """The DS of its KSK, as a line of a zone file."""
        return ' '.join((self.place / f'{self.keys[1]}.ds').read_text().split('\n')[0].split())


@pytest.fixture
def signer(tmp_path):
    place = tmp_path / 'signer'
    place.mkdir()
    return Signer(place)


class SigningKnot(zl.Knot):
    """Knot that signs what it loads, and keeps the differences."""

    def configure(self):
        super().configure()
        conf = self.path / 'knot.conf'
        text = conf.read_text().replace('zonefile-load: difference\n', 'zonefile-load: difference-no-serial\n    dnssec-signing: on\n')
        assert 'dnssec-signing' in text
        conf.write_text(text)


def without(text, pattern):
    """Without the one line that has it."""
    lines = text.splitlines(keepends=True)
    kept = [s for s in lines if not re.search(pattern, s)]
    assert len(kept) == len(lines) - 1
    return ''.join(kept)


def serving(node, p, text, **guards):
    n = node().secondary_of(ZONE, p, **guards)
    p.write(ZONE, text)
    p.start()
    n.start()
    return n


def test_a_signature_is_lost(node, peer, signer):
    p = peer('bind9')
    n = serving(node, p, signer.sign(1, '-n'), guard_dnssec='if-signed')
    n.wait_serial(ZONE, 1)
    send(p, n, without(signer.sign(2, '-n', www='192.0.2.81'), rf'^www\.{ZONE}\.\s.*RRSIG\s+A\s'))
    reason = wait_aside(n)['reason']
    assert reason.startswith('DNSSEC: ') and f'www.{ZONE}. A: it has no RRSIG' in reason
    assert n.serial(ZONE) == 1 and n.ask(f'www.{ZONE}', 'A').answer[0][0].address == '192.0.2.80'
    assert reason in n.zonectl('quarantine', 'list').stdout
    n.zonectl('quarantine', 'approve', ZONE, '--reason', 'it is wanted anyway')
    n.wait_serial(ZONE, 2)
    send(p, n, signer.sign(3, '-n'))
    n.wait_serial(ZONE, 3)
    send(p, n, zl.small_zone(4))
    assert wait_aside(n)['reason'] == 'it is not signed any more' and n.serial(ZONE) == 3
    n.verify()


def test_a_primary_that_signs_sends_increments(node, peer, tmp_path):
    if SigningKnot.missing():
        pytest.skip('skipped: knot is not installed')
    p = SigningKnot(tmp_path / 'signing', ixfr=True)
    try:
        n = serving(node, p, zl.small_zone(1), guard_dnssec='required')
        zl.wait_for(lambda: n.serial(ZONE), 'the first version')
        for last in (81, 82, 83):
            send(p, n, zl.small_zone(1, www=f'192.0.2.{last}'))
            zl.wait_for(lambda: n.ask(f'www.{ZONE}', 'A').answer[0][0].address == f'192.0.2.{last}', 'the change')
        assert aside(n) is None and n.log(ZONE)[0]['origin'] == 'ixfr'
        looks = re.findall(r'signatures of a new version are sound.* looked_at=(\w+) rrsets=(\d+)', n.syncd.text())
        assert [how for how, _ in looks] == ['all', 'changes', 'changes', 'changes'] and all(int(k) < 10 for _, k in looks[1:])
        assert n.ask(f'www.{ZONE}', 'A', want_dnssec=True).answer[1].rdtype == zl.dns.rdatatype.RRSIG
        n.verify()
    finally:
        p.stop()


def test_signatures_must_last(node, peer, signer):
    p = peer('knot')
    n = serving(node, p, signer.sign(1), guard_dnssec='if-signed', guard_dnssec_life='14d')
    n.wait_serial(ZONE, 1)
    send(p, n, signer.sign(2, '-e', zl.time.strftime('%Y%m%d', zl.time.gmtime(zl.time.time() + 10 * 86400))))
    assert 'for less than 1209600 s' in wait_aside(n)['reason'] and n.serial(ZONE) == 1


def test_the_anchor_must_vouch_for_the_keys(node, peer, signer, tmp_path):
    p = peer('knot')
    stranger = Signer(tmp_path)
    n = serving(node, p, stranger.sign(1), guard_dnssec='if-signed', guard_dnssec_anchor=f'{{"{signer.anchor()}"}}')
    zl.wait_for(lambda: 'no key is one that guard-dnssec-anchor vouches for' in (n.zone(ZONE)['last_error'] or ''), 'the reason')
    assert n.serial(ZONE) is None and n.log(ZONE) == []  # a first version is refused
    send(p, n, signer.sign(2))
    n.wait_serial(ZONE, 2)
    send(p, n, stranger.sign(3))
    assert 'guard-dnssec-anchor' in wait_aside(n)['reason']


@pytest.mark.parametrize('items, text', [
    ({'guard_dnssec': 'perhaps'}, 'guard-dnssec should be off, if-signed or required'),
    ({'guard_dnssec_life': '1d'}, 'guard-dnssec-life and guard-dnssec-anchor need guard-dnssec'),
    ({'guard_dnssec': 'required', 'guard_dnssec_anchor': '{"example.test. DS 1 3 2 00"}'}, 'its algorithm is not known here'),
    ({'guard_dnssec': 'required', 'guard_dnssec_anchor': '{"other.test. DS 1 13 2 00"}'}, "it is another zone's"),
    ({'guard_dnssec': 'required', 'guard_dnssec_anchor': '{"example.test. 300 IN A 192.0.2.1"}'}, 'should be NAME DS'),
])
def test_what_is_wrong_in_the_configuration_is_said_with_its_place(node, peer, items, text):
    n = node().secondary_of(ZONE, peer('knot'), **items)
    n.write_config()
    r = subprocess.run([zl.BIN / 'syncd', '-c', n.conf], capture_output=True, text=True)
    line = next(i for i, s in enumerate(n.conf.read_text().splitlines(), 1) if s.startswith('zone '))
    assert r.returncode != 0 and text in r.stderr and f'zl.conf:{line}:' in r.stderr


def test_what_is_served_ends_while_a_version_waits(node, peer, signer):
    """The old version stays, but its signatures do not: who has not looked is told well before."""
    p = peer('knot')
    end = zl.time.gmtime(zl.time.time() + 2 * 86400)
    n = node(syncd='signature-warning = 60h').secondary_of(ZONE, p, guard_dnssec='if-signed')
    p.write(ZONE, signer.sign(1, '-e', zl.time.strftime('%Y%m%d%H%M%S', end)))
    p.start()
    n.start()
    n.wait_serial(ZONE, 1)
    assert n.zone(ZONE)['signatures_until'] is None  # it follows its primary
    send(p, n, zl.small_zone(2))
    wait_aside(n)
    until = zl.wait_for(lambda: n.zone(ZONE)['signatures_until'], 'the end to be known')
    assert until == zl.time.strftime('%Y-%m-%dT%H:%M:%SZ', end)
    assert until in n.zonectl('quarantine', 'list').stdout and until in n.zonectl('status', ZONE).stdout
    left = re.search(r'^zoneledger_signatures_end_in_seconds (\d+)$', n.zonectl('metrics').stdout, re.M)
    assert 86400 < int(left.group(1)) <= 2 * 86400
    zl.wait_for(lambda: 'signatures of what is served end soon' in n.syncd.text(), 'the warning')
    n.zonectl('quarantine', 'approve', ZONE, '--reason', 'unsigned from now on')
    zl.wait_for(lambda: n.zone(ZONE)['signatures_until'] is None and 'signatures_end_in' not in n.zonectl('metrics').stdout, 'the end')
    n.zonectl('rollback', ZONE, '--to', 'v1')  # held: nobody signs it anew
    zl.wait_for(lambda: n.zone(ZONE)['signatures_until'] == until, 'the end to be known again')
    n.syncd.kill()
    n.restart()
    zl.wait_for(lambda: n.zone(ZONE)['signatures_until'] == until, 'the end to be known after a restart')
