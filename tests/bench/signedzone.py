"""Zones with delegations, plain or signed by ldns with NSEC or NSEC3, the same shape in every run but for the keys."""
import pathlib
import random
import subprocess

import zl

KINDS = {'plain.test': None, 'nsec.test': [], 'nsec3.test': ['-n', '-t', '0']}
NAMESERVER = 10  # each tenth owner is a delegation, each second of these a signed one


def host(i):
    return f'host-{i:06d}.r{i * 7919 % 500:03d}'


def child(i):
    return f'child-{i:06d}'


class SignedZone:
    """`origin` is one of KINDS; `owners` hosts and delegations together."""

    def __init__(self, path, origin, owners):
        self.path, self.origin, self.owners = pathlib.Path(path), origin, owners
        plain = self.path / f'{origin}.plain'
        with open(plain, 'w') as out:
            out.write(f'$ORIGIN {origin}.\n$TTL 3600\n@ SOA ns1 hostmaster 1 86400 3600 864000 300\n@ NS ns1\nns1 A 192.0.2.1\n')
            for i in range(owners):
                out.write(self.delegation(i) if i % NAMESERVER == 0 else f'{host(i)} A 10.{i >> 16}.{i >> 8 & 255}.{i & 255}\n')
        self.file = plain if KINDS[origin] is None else self.sign(plain, KINDS[origin])

    @staticmethod
    def delegation(i):
        text = f'{child(i)} NS ns1.{child(i)}\n{child(i)} NS ns2.{child(i)}\n'
        text += f'ns1.{child(i)} A 192.0.2.53\nns2.{child(i)} AAAA 2001:db8::53\n'
        if i % (2 * NAMESERVER) == 0:
            text += f'{child(i)} DS 12345 13 2 {i:064x}\n'
        return text

    def sign(self, plain, options):
        key = self.keygen()
        signed = self.path / f'{self.origin}.signed'
        subprocess.run([zl.tool('ldns-signzone'), *options, '-o', self.origin, '-f', signed, plain, key],
                       cwd=self.path, check=True, capture_output=True, timeout=300)
        return signed

    def keygen(self):
        out = subprocess.run([zl.tool('ldns-keygen'), '-a', 'ECDSAP256SHA256', '-k', self.origin], cwd=self.path, check=True,
                             capture_output=True, text=True, timeout=60).stdout
        return self.path / out.strip()

    def queries(self, path, count, existing, absent, referrals):
        """Writes queries, in these parts of ten."""
        draw = random.Random(4711)
        with open(path, 'w') as out:
            for _ in range(count):
                i, dice = draw.randrange(self.owners), draw.randrange(existing + absent + referrals)
                if dice >= existing + absent:
                    out.write(f'www.{child(i - i % NAMESERVER)}.{self.origin} A\n')
                else:
                    name = host(i if i % NAMESERVER else i + 1)
                    out.write(f'{"no" if dice >= existing else ""}{name}.{self.origin} A\n')
        return path

    def last(self):
        """What is there when all is there."""
        i = (self.owners - 1) // NAMESERVER * NAMESERVER - 1
        return [(f'{host(i)}.{self.origin}', 'A')]
