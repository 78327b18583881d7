"""The zone that the measurements beside other servers use: the same in every run.

The file that the primary loads is a short head ($INCLUDE of a body that never changes), so that a new
version of a million records costs a new head.
"""
import pathlib
import random

ORIGIN = 'big.test'
HOSTS = 'host-{:07d}.r{:03d}'
MIX = ('A',) * 7 + ('AAAA', 'MX', 'TXT')  # of ten owners, seven have an address only


def owner(i):
    """Owners lie in 500 subdomains, in an order that is not the canonical one."""
    return HOSTS.format(i, i * 7919 % 500)


def rdata(i, kind):
    if kind == 'A':
        return f'10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}'
    if kind == 'AAAA':
        return f'2001:db8::{i >> 16:x}:{i & 0xffff:x}'
    if kind == 'MX':
        return f'10 {owner(i // 2)}'
    return f'"v=spf1 ip4:10.{i >> 16 & 255}.0.0/16 -all; host {i}"'


class BigZone:
    def __init__(self, path, records):
        self.path, self.records = pathlib.Path(path), records
        self.owners = records - 4  # SOA, two NS, one address in the head
        self.body = self.write_body('body.zone', 0)

    def write_body(self, name, shift):
        """shift: each owner gets the data of another one, so that no record stays as it is."""
        body = self.path / name
        with open(body, 'w') as out:
            for i in range(self.owners):
                kind = MIX[i % 10]
                out.write(f'{owner(i)} {kind} {rdata(i + shift, kind)}\n')
        return body

    @staticmethod
    def head(serial, changed):
        return (f'$ORIGIN {ORIGIN}.\n$TTL 3600\n@ SOA ns1 hostmaster {serial} 86400 3600 864000 300\n'
                f'@ NS ns1\n@ NS ns.elsewhere.example.\nns1 A 192.0.2.{changed}\n')

    def small(self, serial):
        return self.head(serial, 1)

    def big(self, serial, changed=1, body=None):
        return self.head(serial, changed) + f'$INCLUDE {body or self.body}\n'

    def last(self):
        """An owner from the middle of the body and one from its end: both are there when all is there."""
        return [(f'{owner(i)}.{ORIGIN}', MIX[i % 10]) for i in (self.owners // 2, self.owners - 1)]

    def queries(self, path, count, absent=0.1, names=0):
        """Writes queries, as dnsperf takes them: existing owners with their type, a part of them with a name that
        is not there. names: only so many different ones."""
        draw = random.Random(4711)
        some = [draw.randrange(self.owners) for _ in range(names)]
        with open(path, 'w') as out:
            for _ in range(count):
                i = draw.choice(some) if some else draw.randrange(self.owners)
                if draw.random() < absent:
                    out.write(f'no{owner(i)}.{ORIGIN} A\n')
                else:
                    out.write(f'{owner(i)}.{ORIGIN} {MIX[i % 10]}\n')
        return path
