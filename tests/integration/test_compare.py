"""Do my nameservers serve the same? Content ids, by the control socket and by DNS, and what differs."""
import json

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.tsig

import pytest

import zl

HEAD = '$TTL 60\n@ SOA ns.example. admin.example. {serial} 3600 600 86400 60\n@ NS ns.example.\n'


def zone_text(serial, *lines):
    return HEAD.format(serial=serial) + '\n'.join(lines) + '\n'


def import_zone(node, zone, serial, *lines):
    node.zonectl('import', zone, '-', '--serial', 'keep', stdin=zone_text(serial, *lines))


@pytest.fixture
def fleet(tmp_path):
    """Three nodes with zones of their own; who signs with the key may transfer them."""
    key = zl.Key('fleet.test')
    nodes = [zl.Node(tmp_path / name, keys=[key]) for name in ('ams', 'fra', 'tyo')]
    for n in nodes:
        n.fleet_key = key
        for zone in ('example.', 'other.example.'):
            n.zones[zone] = []
            n.zone_options[zone] = {'transfer_keys': f'{{"{key.name}"}}'}
        n.start()
        for zone in ('example.', 'other.example.'):
            import_zone(n, zone, 1, 'www A 192.0.2.1', 'mail A 192.0.2.2')
    yield nodes
    for n in nodes:
        n.stop()


def compare(node, *args):
    r = node.zonectl('--json', 'compare', *args, check=False)
    return r.returncode, json.loads(r.stdout) if r.stdout else r.stderr


def states(found):
    return [n['state'] for n in found['nodes']]


def ask_id(node, zone, key=None, **kw):
    q = dns.message.make_query('_content-id.' + zone, 'TXT', rdclass='CH', **kw)
    if key:
        q.use_tsig(key.ring(), key.name, algorithm=key.algorithm)
    return dns.query.udp(q, '127.0.0.1', port=node.port, timeout=5)


def test_one_tampered_node_of_three_is_found(fleet):
    """Same serial, other content: no SOA query would ever show it."""
    ams, fra, tyo = fleet
    paths = [n.path for n in fleet]
    assert compare(ams, *paths) == (0, {'zones': 2, 'differ': []})

    # Somebody changed one node behind the others' back, and kept the serial in step.
    import_zone(ams, 'example.', 2, 'www A 192.0.2.1', 'mail A 192.0.2.2', 'new A 192.0.2.3')
    import_zone(fra, 'example.', 2, 'www A 192.0.2.1', 'mail A 192.0.2.2', 'new A 192.0.2.3')
    import_zone(tyo, 'example.', 2, 'www A 203.0.113.66', 'mail A 192.0.2.2', 'new A 192.0.2.3')
    code, found = compare(ams, '--records', *paths)
    assert code == 1 and found['zones'] == 2 and len(found['differ']) == 1
    differ = found['differ'][0]
    assert differ['zone'] == 'example.' and states(differ) == ['same serial, other content'] * 3
    ids = [n['content_id'] for n in differ['nodes']]
    assert ids[0] == ids[1] != ids[2]
    assert [(d['from'], d['to']) for d in differ['records']] == [(str(ams.path), str(tyo.path))]
    assert [r.split() for r in differ['records'][0]['removed']] == [['www.example.', '60', 'IN', 'A', '192.0.2.1']]
    assert [r.split() for r in differ['records'][0]['added']] == [['www.example.', '60', 'IN', 'A', '203.0.113.66']]

    text = ams.zonectl('compare', '--records', *paths, check=False)
    assert text.returncode == 1
    assert 'same serial, other content' in text.stdout and '2 zones compared on 3 nodes; 1 differ' in text.stdout
    assert '-www.example.' in text.stdout and '+www.example.' in text.stdout and 'mail' not in text.stdout


def test_missing_and_behind(fleet):
    ams, fra, tyo = fleet
    import_zone(fra, 'example.', 5, 'www A 192.0.2.7')
    tyo.zonectl('import', 'third.example.', '-', stdin=zone_text(1))  # as nobody else has it
    code, found = compare(ams, *[n.path for n in fleet])
    assert code == 1
    assert {d['zone']: states(d) for d in found['differ']} == {
        'example.': ['behind', 'ok', 'behind'], 'third.example.': ['missing', 'missing', 'ok']}


def test_remote_nodes_are_asked_by_dns(fleet):
    """One signed question a zone; who may not transfer the zone is told nothing."""
    ams, fra, tyo = fleet
    config = ['-c', ams.conf, '--key', ams.fleet_key.name]
    nodes = [ams.path, *(f'127.0.0.1@{n.port}' for n in (fra, tyo))]
    assert compare(ams, *config, *nodes) == (0, {'zones': 2, 'differ': []})
    import_zone(tyo, 'example.', 2, 'www A 203.0.113.66')
    code, found = compare(ams, *config, *nodes)
    assert code == 1 and [d['zone'] for d in found['differ']] == ['example.']
    assert states(found['differ'][0]) == ['behind', 'behind', 'ok']

    # Without the key they say no more than of a zone that they do not have.
    code, found = compare(ams, *nodes)
    assert code == 1 and [states(d) for d in found['differ']] == [['ok', 'missing', 'missing']] * 2
    # Without a node that lists its zones, one must be named.
    code, why = compare(ams, *config, *nodes[1:])
    assert code == 64 and '--zone' in why
    code, found = compare(ams, *config, '--zone', 'other.example.', *nodes[1:])
    assert (code, found) == (0, {'zones': 1, 'differ': []})
    # A node that does not answer is not taken for one that agrees.
    code, why = compare(ams, *config, '--zone', 'example.', ams.path, f'127.0.0.1@{zl.free_port()}')
    assert code == 3 and 'example.' in why


def test_the_question_over_dns(fleet):
    ams = fleet[0]
    ams.journaled()
    want = ams.json('id', 'example.')[0]
    r = ask_id(ams, 'example.', ams.fleet_key)
    assert r.rcode() == dns.rcode.NOERROR and r.had_tsig and r.flags & dns.flags.AA
    [rdata] = r.answer[0]
    assert rdata.to_text() == f'"serial=1" "version={want["version"]}" "content-id={want["content_id"]}"'
    assert r.answer[0].ttl == 0
    for q in (lambda: ask_id(ams, 'example.'),
              lambda: ask_id(ams, 'nowhere.test.', ams.fleet_key)):
        r = q()
        assert r.rcode() == dns.rcode.REFUSED and not r.answer
    # A stranger's signature under a key that we know
    false = zl.Key(ams.fleet_key.name)
    q = dns.message.make_query('_content-id.example.', 'TXT', rdclass='CH')
    q.use_tsig(false.ring(), false.name, algorithm=false.algorithm)
    with pytest.raises(dns.tsig.PeerBadSignature):
        dns.query.udp(q, '127.0.0.1', port=ams.port, timeout=5)


def test_ids(fleet):
    """The id is the journal's tree, and is computed when the journal is not there yet, or when it is asked for."""
    ams = fleet[0]
    ams.journaled()
    ids = {i['zone']: i for i in ams.json('id')}
    assert set(ids) == {'example.', 'other.example.'} and not any(i['computed'] for i in ids.values())
    tree = ams.git('rev-parse', 'refs/heads/example^{tree}').strip()
    assert ids['example.']['content_id'] == tree
    again = ams.json('id', '--compute', 'example.')[0]
    assert again == {**ids['example.'], 'computed': True}
    assert tree in ams.zonectl('id', 'example.').stdout
    r = ams.zonectl('id', 'nowhere.test.', check=False)
    assert r.returncode == 1 and 'there is no zone nowhere.test.' in r.stderr
