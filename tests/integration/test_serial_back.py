"""A primary whose serial goes back for good: ignored, told of, or accepted."""
import pytest
import zl
from test_rollback_serial import ZONE, text, www


def gone_back(peer, node, back, **options):
    n = node()
    p = peer('nsd').notify_to(n)
    p.write(ZONE, text(2026, '192.0.2.1'))
    p.start()
    n.secondary_of(ZONE, p, **{'guard-serial-back': back, 'guard-serial-back-after': '0s', 'refresh-max': '1s', **options}).start()
    n.wait_serial(ZONE, 2026)
    p.load(ZONE, text(5, '192.0.2.5'))
    zl.wait_for(lambda: 'a primary is behind us' in n.syncd.text(), 'the primary to be seen behind')
    return n, p


@pytest.mark.parametrize('back', ['ignore', 'alert'])
def test_it_is_not_taken_unless_somebody_says_so(back, peer, node):
    n, p = gone_back(peer, node, back)
    for _ in range(2):
        n.zonectl('refresh', ZONE)
    zl.wait_for(lambda: n.zone(ZONE)['primary_serial'] == 5, 'the round to be over')
    said = [x for x in n.syncd.text().splitlines() if 'the serial at all primaries' in x]
    assert len(said) == (1 if back == 'alert' else 0), said
    assert n.serial(ZONE) == 2026 and www(n.port) == '192.0.2.1'
    n.verify()


def test_it_is_accepted_and_ours_goes_forward(peer, node):
    n, p = gone_back(peer, node, 'accept')
    n.wait_serial(ZONE, 2027)
    assert www(n.port) == '192.0.2.5' and n.zone(ZONE)['theirs'] == 5
    p.load(ZONE, text(6, '192.0.2.6'))
    n.wait_serial(ZONE, 2028)
    assert www(n.port) == '192.0.2.6' and n.log(ZONE)[0]['theirs'] == 6
    n.kill()
    n.restart()
    n.wait_serial(ZONE, 2028)
    p.load(ZONE, text(3000, '192.0.2.30'))
    n.wait_serial(ZONE, 3000)
    assert n.zone(ZONE)['theirs'] is None
    n.verify()
    n.fsck()
