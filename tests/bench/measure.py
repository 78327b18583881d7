"""Clocks, counters and questions: everything a measurement reads."""
import os
import pathlib
import socket
import struct
import time

import dns.flags
import dns.message
import dns.opcode

TICK = os.sysconf('SC_CLK_TCK')


class Asker:
    """One UDP socket that asks one server, with a short patience."""

    def __init__(self, port, patience=0.1):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.connect(('127.0.0.1', port))
        self.s.settimeout(patience)
        self.id = 0

    def close(self):
        self.s.close()

    def ask(self, name, rdtype):
        """The answer as a message, or None."""
        self.id = (self.id + 1) & 0xffff
        q = dns.message.make_query(name, rdtype)
        q.id = self.id
        try:
            self.s.send(q.to_wire())
            while True:
                wire = self.s.recv(65535)
                if struct.unpack('!H', wire[:2])[0] == self.id:
                    return dns.message.from_wire(wire)
        except OSError:
            return None

    def serial(self, zone):
        r = self.ask(zone, 'SOA')
        return r.answer[0][0].serial if r and r.answer else None

    def notify(self, zone):
        """A NOTIFY that is not waited for."""
        q = dns.message.make_query(zone, 'SOA')
        q.set_opcode(dns.opcode.NOTIFY)
        q.flags |= dns.flags.AA
        q.flags &= ~dns.flags.RD
        self.s.send(q.to_wire())


def wait_served(asker, zone, serial, records, timeout):
    """Seconds until the serial and then each of the records is answered; None if that takes too long."""
    start = time.monotonic()
    left = list(records)
    while time.monotonic() - start < timeout:
        if asker.serial(zone) == serial:
            while left and (r := asker.ask(*left[0])) and r.answer:
                left.pop()
            if not left:
                return time.monotonic() - start
        time.sleep(0.002)
    return None


def generator():
    """What a generator of load is started with: it has the last core for itself, where there are several."""
    return ['taskset', '-c', str(os.cpu_count() - 1)] if os.cpu_count() > 1 else []


def pin(pids):
    """Keeps processes off the generator's core."""
    if os.cpu_count() == 1:
        return
    for pid in pids:
        try:
            for task in pathlib.Path(f'/proc/{pid}/task').iterdir():
                os.sched_setaffinity(int(task.name), range(os.cpu_count() - 1))
        except OSError:
            continue  # it has ended meanwhile


def cpu_parts(pids):
    """User and system seconds of processes that are there."""
    user = system = 0
    for pid in pids:
        try:
            fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
        except OSError:
            continue
        user += int(fields[11])
        system += int(fields[12])
        if pid == pids[0]:  # children that have ended: NSD serves each version with a new process
            user += int(fields[13])
            system += int(fields[14])
    return user / TICK, system / TICK


def cpu(pids):
    return sum(cpu_parts(pids))


def _kilobytes(path, key):
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith(key + ':'):
            return int(line.split()[1])
    return 0


def peak_mib(pid):
    """The most resident memory a process ever had."""
    return _kilobytes(f'/proc/{pid}/status', 'VmHWM') / 1024


def forget_peaks(pids):
    """From now on, peak_mib is that of what follows."""
    for pid in pids:
        pathlib.Path(f'/proc/{pid}/clear_refs').write_text('5')


def memory_mib(pids):
    """What processes hold now, a shared page counted once."""
    total = 0
    for pid in pids:
        try:
            total += _kilobytes(f'/proc/{pid}/smaps_rollup', 'Pss')
        except OSError:
            continue
    return total / 1024


def comm(pid):
    return pathlib.Path(f'/proc/{pid}/comm').read_text().strip()


def table(title, head, rows):
    """Prints a table that is also Markdown."""
    rows = [[str(c) for c in r] for r in rows]
    width = [max(len(r[i]) for r in [head, *rows]) for i in range(len(head))]
    print(f'\n{title}\n')
    for r in (head, ['-' * w for w in width], *rows):
        cells = [c.ljust(w) if i == 0 or r[0].startswith('--') else c.rjust(w) for i, (c, w) in enumerate(zip(r, width))]
        print('| ' + ' | '.join(cells) + ' |')
    print(flush=True)
