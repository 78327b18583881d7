"""A bad network between two servers, of our own, as netem is not in every kernel.

An Impair listens on a port of its own, by UDP and TCP, and passes all on to another one. `fault` says
what it does meanwhile, and can be changed at any time; connections feel the new one at their next octet.
Up is from the client to the server, down is what the server answers. All chance comes from the seed.
"""
import asyncio
import dataclasses
import random
import socket
import struct
import threading

import zl


@dataclasses.dataclass(frozen=True)
class Fault:
    """None of these: a good network. Offsets count the octets of one connection downwards."""
    delay: float = 0           # seconds, both ways, each datagram and each piece of a stream
    loss: float = 0            # chances of a datagram: is lost,
    duplicate: float = 0       # comes twice,
    reorder: float = 0         # comes behind later ones
    segment: int = 0           # octets in a piece of a stream, at most
    reset_at: int = None       # RST to both,
    cut_at: int = None         # both ends closed,
    half_close_at: int = None  # the client sees the end, but the connection stays,
    stall_at: int = None       # nothing more comes, for as long as the fault lasts
    flip: float = 0            # chance of an octet to have one bit flipped, both ways
    partition: str = ''        # 'up', 'down' or 'both': nothing passes that way

    def __str__(self):
        said = ', '.join(f'{k}={v}' for k, v in dataclasses.asdict(self).items() if v or v == 0 and k.endswith('_at') and v is not None)
        return said or 'none'

    def blocks(self, way):
        return self.partition in (way, 'both')


GOOD = Fault()


class Cut(Exception):
    """The connection is over, by our hand."""


class Stream:
    """One connection and what became of it."""

    def __init__(self, owner, client, server):
        self.owner, self.client, self.server = owner, client, server  # (reader, writer) each
        self.down = 0

    async def run(self):
        ways = [asyncio.ensure_future(self.pump('up', self.client[0], self.server[1])),
                asyncio.ensure_future(self.pump('down', self.server[0], self.client[1]))]
        try:
            await asyncio.gather(*ways)
        except (Cut, OSError):
            pass
        finally:
            for w in ways:
                w.cancel()
            for _, writer in (self.client, self.server):
                writer.close()

    async def pump(self, way, reader, writer):
        while True:
            data = await reader.read(65536)
            await self.owner.passable(way)
            if not data:
                writer.write_eof()
                return
            await asyncio.sleep(self.owner.fault.delay)
            await (self.send_down(data, writer) if way == 'down' else self.send(data, writer))

    async def send(self, data, writer):
        data = self.owner.flipped(data)
        step = self.owner.fault.segment or max(1, len(data))
        for i in range(0, len(data), step):
            writer.write(data[i:i + step])
            await writer.drain()
            if step < len(data):
                await asyncio.sleep(0)

    async def send_down(self, data, writer):
        f = self.owner.fault
        stops = {at: what for what, at in (('reset', f.reset_at), ('cut', f.cut_at), ('half_close', f.half_close_at),
                                           ('stall', f.stall_at)) if at is not None}
        at = min(stops, default=None)
        if at is None or self.down + len(data) <= at:
            self.down += len(data)
            await self.send(data, writer)
            return
        keep = max(0, at - self.down)
        await self.send(data[:keep], writer)
        self.down += keep
        self.owner.hits += 1
        await getattr(self, stops[at])(data[keep:], writer)

    async def reset(self, _, writer):
        for w in (writer, self.server[1]):
            w.get_extra_info('socket').setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            w.transport.abort()
        raise Cut

    async def cut(self, *_):
        raise Cut

    async def half_close(self, _, writer):
        writer.write_eof()
        await self.owner.changed()
        raise Cut

    async def stall(self, rest, writer):
        await self.owner.changed()
        await self.send_down(rest, writer)


class Datagrams(asyncio.DatagramProtocol):
    """The socket that clients send to; each client has one of its own towards the server."""

    def __init__(self, owner):
        self.owner, self.upstream, self.transport = owner, {}, None

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        asyncio.ensure_future(self.up(data, addr))

    async def up(self, data, addr):
        if addr not in self.upstream:
            loop = asyncio.get_running_loop()
            self.upstream[addr] = loop.create_datagram_endpoint(lambda: Answers(self, addr), remote_addr=('127.0.0.1', self.owner.target))
            self.upstream[addr] = asyncio.ensure_future(self.upstream[addr])
        transport, _ = await asyncio.shield(self.upstream[addr])
        await self.owner.datagram('up', data, transport.sendto)


class Answers(asyncio.DatagramProtocol):
    def __init__(self, front, client):
        self.front, self.client = front, client

    def datagram_received(self, data, _):
        asyncio.ensure_future(self.front.owner.datagram('down', data, lambda d: self.front.transport.sendto(d, self.client)))

    def error_received(self, _):
        pass  # the server is down: the client hears nothing, as behind a router


class Impair:
    """Between clients and 127.0.0.1:`target`. `name` and `key` are what a zl.Node wants of a primary."""

    def __init__(self, target, seed=1, name='impaired', key=None):
        self.target, self.name, self.key = target, name, key
        self.random = random.Random(seed)
        self.fault, self.hits, self.connections, self.datagrams = GOOD, 0, 0, 0
        self.port = zl.free_port()
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda *_: None)  # a connection that ends is what this is about
        started = threading.Event()
        self.thread = threading.Thread(target=self.work, args=(started,), daemon=True)
        self.thread.start()
        assert started.wait(20)

    def work(self, started):
        asyncio.set_event_loop(self.loop)
        self.news = asyncio.Condition()
        self.loop.run_until_complete(self.listen())
        started.set()
        self.loop.run_forever()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0.01))

    async def listen(self):
        await asyncio.start_server(self.accept, '127.0.0.1', self.port)
        await self.loop.create_datagram_endpoint(lambda: Datagrams(self), local_addr=('127.0.0.1', self.port))

    def stop(self):
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join()

    def set(self, fault):
        """Takes effect before this returns; what waited for an end of the old one goes on."""
        asyncio.run_coroutine_threadsafe(self.change(fault), self.loop).result(20)

    async def change(self, fault):
        async with self.news:
            self.fault, self.hits = fault, 0
            self.news.notify_all()

    async def changed(self):
        async with self.news:
            await self.news.wait()

    async def passable(self, way):
        async with self.news:
            if self.fault.blocks(way):
                self.hits += 1
            await self.news.wait_for(lambda: not self.fault.blocks(way))

    async def accept(self, reader, writer):
        self.connections += 1
        await self.passable('up')
        try:
            server = await asyncio.open_connection('127.0.0.1', self.target)
        except OSError:
            writer.transport.abort()
            return
        await Stream(self, (reader, writer), server).run()

    async def datagram(self, way, data, send):
        f, self.datagrams = self.fault, self.datagrams + 1
        if f.blocks(way) or self.random.random() < f.loss:
            self.hits += 1
            return
        data = self.flipped(data)
        copies = 1 + (self.random.random() < f.duplicate)
        late = 0.2 if self.random.random() < f.reorder else 0
        self.hits += copies - 1 + (late > 0)
        if f.delay or late:
            await asyncio.sleep(f.delay + late)
        for _ in range(copies):
            send(data)

    def flipped(self, data):
        if not self.fault.flip:
            return data
        out = bytearray(data)
        for i in range(len(out)):
            if self.random.random() < self.fault.flip:
                out[i] ^= 1 << self.random.randrange(8)
                self.hits += 1
        return bytes(out)


def drawn(rng, size, signed):
    """A fault by chance, for a stream of some `size` octets. Flipped bits only where signatures tell them."""
    at = rng.randrange(1, max(2, size))
    kinds = [Fault(delay=rng.choice([0.02, 0.1, 0.5])), Fault(loss=rng.uniform(0.2, 1)), Fault(duplicate=1), Fault(reorder=rng.uniform(0.3, 1)),
             Fault(segment=1), Fault(reset_at=at), Fault(cut_at=at), Fault(half_close_at=at), Fault(stall_at=at),
             Fault(partition=rng.choice(['up', 'down', 'both'])), Fault(delay=0.05, loss=0.3, duplicate=0.3, reorder=0.3, segment=rng.randrange(1, 50)),
             Fault(reset_at=0), Fault(cut_at=1)]
    if signed:
        kinds += [Fault(flip=rng.choice([0.0005, 0.01, 0.2]))] * 2
    return rng.choice(kinds)
