"""Catalog zones (RFC 9432) as the stories write them, and real servers that make their own."""
import os

import zl

CATALOG = 'cat.test'


def text(serial, members, catalog=CATALOG, version='2', extra=''):
    """members: {zone: label} or {zone: (label, {property: value})}"""
    lines = [f'$ORIGIN {catalog}.', '$TTL 0', f'@ SOA invalid. invalid. {serial} 3600 600 86400 0', '@ NS invalid.']
    if version:
        lines.append(f'version TXT "{version}"')
    for zone, what in members.items():
        label, properties = what if isinstance(what, tuple) else (what, {})
        lines.append(f'{label}.zones PTR {zone}.')
        if 'coo' in properties:
            lines.append(f'coo.{label}.zones PTR {properties["coo"]}.')
        for group in properties.get('groups', []):
            lines.append(f'group.{label}.zones TXT "{group}"')
    return '\n'.join(lines) + '\n' + extra


def member(zone, serial=1):
    return f'''$ORIGIN {zone}.
$TTL 300
@ SOA ns hostmaster {serial} 3600 600 86400 300
@ NS ns
ns A 192.0.2.53
www A 192.0.2.80
'''


def section(catalog=CATALOG, primary='{p}', **items):
    body = ' '.join(f'{k.replace("_", "-")} = {v}' for k, v in {'refresh_min': '1s', 'retry_min': '1s', 'retry_max': '1s',
                                                                             'transfer_from': '{"127.0.0.0/8"}', **items}.items())
    return f'catalog "{catalog}" {{ primaries = {{"{primary}"}} {body} }}\n'


def follower(node, p, *sections, **options):
    """A node that has nothing but catalogs; p is their primary."""
    n = node(extra=''.join(s.replace('{p}', p.name) for s in sections) or section(primary=p.name), **options)
    n.primaries[p.name] = (f'127.0.0.1@{p.port}', p.key)
    return n


def names(n, catalog=CATALOG):
    """The zones that are here, but for catalogs."""
    return sorted(z['name'].rstrip('.') for z in n.json('zone', 'list')
                  if z['state'] != 'removed' and not z['name'].startswith('cat'))


def served(n, *zones):
    zl.wait_for(lambda: names(n) == sorted(zones) and all(n.serial(z) for z in zones),
                f'{zones} to be served: {names(n)} {n.syncd.text()[-3000:]}', timeout=40)


class KnotProducer(zl.Knot):
    """Knot makes the catalog itself, of those of its zones that are members."""
    def configure(self):
        super().configure()
        conf = self.path / 'knot.conf'
        c = conf.read_text()
        head, zones = c.split('zone:\n', 1)
        parts = zones.split('  - domain: ')
        out = [parts[0]]
        for part in parts[1:]:
            out.append('  - domain: ' + part + f'    catalog-role: member\n    catalog-zone: {CATALOG}\n    catalog-group: plain\n')
        notify = f'    notify: [{", ".join(f"t{p}" for p in self.targets)}]\n' if self.targets else ''
        out.append(f'  - domain: {CATALOG}\n    storage: {self.path}\n    acl: out\n    catalog-role: generate\n{notify}')
        conf.write_text(head + 'zone:\n' + ''.join(out))

    def change(self):
        """As configured by now: zones that were written since appear in the catalog."""
        self.configure()
        self.ctl(zl.tool('knotc'), '-b', '-c', self.path / 'knot.conf', 'reload')


class PdnsProducer(zl.Pdns):
    def start(self):
        self.configure()
        self.util('create-zone', CATALOG)
        self.util('set-kind', CATALOG, 'producer')
        if self.key:
            self.util('activate-tsig-key', CATALOG, self.key.name, 'primary')
        for zone in self.zones:
            self.util('set-catalog', zone, CATALOG)
        self.process = zl.Process(self.name, self.command(), self.path / 'log').start()
        zl.wait_for(lambda: all(zl.serial(self.port, z) is not None for z in self.zones), 'pdns to serve', 30)
        return self

    def change(self):
        for zone in self.zones:
            if os.path.exists(self.zones[zone]):
                self.fill(zone)
                self.util('set-catalog', zone, CATALOG)
        self.ctl(zl.tool('pdns_control'), f'--config-dir={self.path}', 'notify', CATALOG)
