"""Several addresses, IPv4 and IPv6: each answer leaves from the address that was asked.

The story of the wildcards runs in a network namespace of its own, where addresses are ours to choose.
"""
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

import dns.query
import pytest
import zl
from alone import FakeSyncd, acknowledge, connect, framed, has_ipv6, notify, read_message, version

HERE = ['192.0.2.1', '192.0.2.2', '198.51.100.77', '2001:db8::1', '2001:db8::2', '2001:db8:1::77', '127.0.0.1', '::1']


def asks(address, port, source=None):
    """By UDP and by TCP; the answer comes from where the question went to."""
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        if source:
            s.bind((source, 0))
        s.sendto(version(5).to_wire(), (address, port))
        answer, peer = s.recvfrom(4096)
        assert answer[:2] == b'\0\5' and peer[:2] == (address, port), peer
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(10)
        if source:
            s.bind((source, 0))
        s.connect((address, port))
        s.sendall(framed(version(6)))
        assert read_message(s).id == 6
    return True


def test_several_addresses(place):
    six = ['::1'] if has_ipv6() else []
    listen = ['127.0.0.1', '127.0.0.2', '127.77.0.1', *six]
    port = zl.free_port()
    path = place / 'a'
    path.mkdir()
    names = ', '.join(f'"{a}@{port}"' for a in listen)
    (path / 'zl.conf').write_text(f'data-dir = "{path}/data"\nrun-dir = "{path}"\nauthd {{ listen = {{{names}}} workers = 2 version = "v" }}\n')
    p = zl.Process('authd', [zl.BIN / 'authd', '-c', path / 'zl.conf'], path / 'log').start()
    try:
        zl.wait_for(lambda: 'ready' in p.text(), 'authd to be ready')
        for address in listen:
            assert f'address={address}@{port}' in p.text()
            asks(address, port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:  # and on no other
            s.connect(('127.0.0.3', port))
            s.settimeout(5)
            s.send(version(1).to_wire())
            with pytest.raises(ConnectionRefusedError):
                s.recv(100)
    finally:
        code = p.stop()
        p.kill()
    assert code == 0 and 'Sanitizer' not in p.text()


def test_tcp_on_a_wildcard_tells_syncd_which_address_was_asked(authd):
    p = authd(listen='0.0.0.0')
    s = FakeSyncd(p.path, acknowledge)
    try:
        zl.wait_for(lambda: s.roles.count(1) == 2, 'the workers to connect')
        for where in ('127.0.0.1', '127.9.9.9'):
            for ask in (dns.query.udp, dns.query.tcp):
                ask(notify(), where, port=p.port, timeout=10)
                d = s.messages[-1]['destination']
                assert socket.inet_ntop(socket.AF_INET, d[3:7]) == where and int.from_bytes(d[1:3], 'big') == p.port
    finally:
        s.close()
    with connect(p) as c:
        c.sendall(framed(version(1)))
        assert read_message(c).id == 1


def in_namespace():
    """Runs as a program of its own, inside the namespace."""
    def ip(*args):
        subprocess.run([zl.tool('ip'), *args], check=True)
    ip('link', 'set', 'lo', 'up')
    for address in HERE[:6]:
        ip('addr', 'add', address + ('/128' if ':' in address else '/32'), 'dev', 'lo', *(['nodad'] if ':' in address else []))
    with tempfile.TemporaryDirectory(prefix='zl-') as d:
        path = pathlib.Path(d)
        (path / 'zl.conf').write_text(f'data-dir = "{d}/data"\nrun-dir = "{d}"\nauthd {{ listen = {{"0.0.0.0", "::"}} workers = 2 version = "v" }}\n')
        p = zl.Process('authd', [zl.BIN / 'authd', '-c', path / 'zl.conf'], path / 'log').start()
        try:
            zl.wait_for(lambda: 'ready' in p.text(), 'authd to be ready')
            for address in HERE:
                for source in HERE:
                    if (':' in address) == (':' in source):
                        asks(address, 53, source)
        finally:
            code = p.stop()
            p.kill()
        assert code == 0 and 'Sanitizer' not in p.text(), p.text()[-3000:]
    print('all asked')


@pytest.mark.skipif(os.getuid() != 0 or not zl.tool('unshare') or not zl.tool('ip'),
                    reason='skipped: needs root, unshare and ip')
def test_wildcards_with_many_addresses():
    if subprocess.run([zl.tool('unshare'), '-n', 'true'], capture_output=True).returncode != 0:
        pytest.skip('skipped: no network namespaces here')
    r = subprocess.run([zl.tool('unshare'), '-n', sys.executable, __file__], capture_output=True, text=True, timeout=120,
                       env={**os.environ, 'PYTHONPATH': str(pathlib.Path(__file__).parent)})
    assert r.returncode == 0 and 'all asked' in r.stdout, r.stdout + r.stderr


if __name__ == '__main__':
    in_namespace()
