"""authd by itself: a factory of running ones, messages to ask them, and a syncd that is ours.

FakeSyncd speaks the hand-over's frames (lib/net/handover.h).
"""
import os
import pathlib
import selectors
import socket
import struct
import threading

import dns.flags
import dns.message
import dns.opcode
import dns.query
import pytest
import zl

HELLO, MESSAGE, REPLY, HINT, ASK, TELL, STREAM = range(1, 8)


@pytest.fixture
def authd(place):
    """Factory: writes a configuration and starts authd alone."""
    made = []

    def make(listen='127.0.0.1', extra='', workers=2, port=None):
        path = place / f'a{len(made)}'
        path.mkdir()
        port = port or zl.free_port()
        p = zl.Process('authd', [zl.BIN / 'authd', '-c', path / 'zl.conf'], path / 'authd.log')
        p.path, p.port = path, port

        def configure(extra, level='debug'):
            (path / 'zl.conf').write_text(
                f'node = "n"\ndata-dir = "{path}/data"\nrun-dir = "{path}"\nlog {{ level = {level} }}\n'
                f'authd {{ listen = {{"{listen}@{port}"}} workers = {workers} rrl = no version = "{"v" * 200}" {extra} }}\n')
        p.configure = configure
        configure(extra)
        p.start()
        made.append(p)
        zl.wait_for(lambda: 'ready' in p.text() or not p.alive(), 'authd to be ready')
        return p
    yield make
    for p in made:
        if p.alive():
            code = p.stop()
            assert code == 0, p.text()[-3000:]
        assert p.p.returncode >= 0, f'ended by signal {-p.p.returncode}: {p.text()[-3000:]}'
        assert 'Sanitizer' not in p.text() and 'runtime error:' not in p.text(), p.text()[-4000:]


class FakeSyncd:
    """Listens on the hand-over socket; `reply(message)` gives the octets to answer with, None: say nothing."""

    def __init__(self, path, reply):
        self.path, self.reply = str(pathlib.Path(path) / 'handover.sock'), reply
        self.messages, self.roles, self.conns, self.streams = [], [], [], []
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(self.path)
        self.listener.listen(16)
        self.sel = selectors.DefaultSelector()
        self.sel.register(self.listener, selectors.EVENT_READ)
        self.running = True
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while self.running:
            for key, _ in self.sel.select(0.05):
                if key.fileobj is self.listener:
                    c, _ = self.listener.accept()
                    self.conns.append(c)
                    self.sel.register(c, selectors.EVENT_READ)
                else:
                    self.frame(key.fileobj)

    def frame(self, c):
        data, fds, _, _ = socket.recv_fds(c, 300000, 1)
        if not data:
            self.sel.unregister(c)
            return
        version, kind, zero, ident = struct.unpack_from('!BBHQ', data)
        assert (version, zero) == (2, 0)
        body = data[12:]
        if kind == HELLO:
            self.roles.append(body[0])
        elif kind == MESSAGE:
            m = {'transport': body[0]}
            m['source'], m['destination'] = body[1:20], body[20:39]
            m['identity'], rest = self.identity(body)
            n, = struct.unpack_from('!I', rest)
            m['wire'] = rest[4:4 + n]
            k, = struct.unpack_from('!I', rest, 4 + n)
            m['answer'] = rest[8 + n:8 + n + k]
            assert len(rest) == 8 + n + k
            self.messages.append(m)
            answer = self.reply(m)
            if answer is not None:
                c.send(struct.pack('!BBHQI', 2, REPLY, 0, ident, len(answer)) + answer)
        elif kind == STREAM:
            identity, rest = self.identity(body)
            n, = struct.unpack_from('!I', rest)
            assert len(rest) == 4 + n and len(fds) == 1
            self.streams.append({'transport': body[0], 'source': body[1:20], 'destination': body[20:39], 'octets': rest[4:],
                                 'identity': identity, 'socket': socket.socket(fileno=fds[0])})

    @staticmethod
    def identity(body):
        """What stands behind the addresses, and all behind that."""
        n, = struct.unpack_from('!H', body, 39)
        return body[41:41 + n], body[41 + n:]

    def close(self):
        self.running = False
        self.thread.join()
        for c in self.conns + [self.listener] + [x['socket'] for x in self.streams]:
            c.close()


def acknowledge(m):
    q = dns.message.from_wire(m['wire'], keyring=False) if not m['answer'] else None
    if q is None:
        return m['answer']
    r = dns.message.make_response(q)
    r.flags |= dns.flags.AA
    return r.to_wire()


def notify(zone='example.'):
    q = dns.message.make_query(zone, 'SOA')
    q.set_opcode(dns.opcode.NOTIFY)
    return q


def version(ident=None):
    q = dns.message.make_query('version.bind', 'TXT', 'CH')
    if ident is not None:
        q.id = ident
    return q


def framed(q):
    w = q.to_wire()
    return struct.pack('!H', len(w)) + w


def read_exactly(s, n):
    data = b''
    while len(data) < n:
        part = s.recv(n - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def read_message(s):
    n, = struct.unpack('!H', read_exactly(s, 2))
    return dns.message.from_wire(read_exactly(s, n))


def connect(p, timeout=10):
    return socket.create_connection(('127.0.0.1', p.port), timeout=timeout)


def closed(s):
    """True once the other side has closed."""
    try:
        return s.recv(1) == b''
    except ConnectionResetError:
        return True


def udp(p, q, where='127.0.0.1', timeout=5):
    return dns.query.udp(q, where, port=p.port, timeout=timeout)


def descriptors(p):
    return len(os.listdir(f'/proc/{p.p.pid}/fd'))


def at_rest(p):
    """The descriptors it keeps: not those that it has for a moment, as when it looks for syncd."""
    return min(descriptors(p) for _ in range(50))


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
            s.bind(('::1', 0))
        return True
    except OSError:
        return False
