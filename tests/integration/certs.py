"""Certificates for the stories of TLS, made with the openssl command."""
import base64
import hashlib
import pathlib
import ssl
import subprocess


def openssl(*args, stdin=None):
    return subprocess.run(['openssl', *map(str, args)], check=True, capture_output=True, input=stdin).stdout


def pin(crt):
    """What tls-pins want: SHA-256 of the public key, in base64."""
    key = openssl('x509', '-in', crt, '-noout', '-pubkey')
    return base64.b64encode(hashlib.sha256(openssl('pkey', '-pubin', '-outform', 'DER', stdin=key)).digest()).decode()


class Authority:
    """Makes certificates for others; file crt is what they are checked by."""

    def __init__(self, path, name='authority'):
        self.path = pathlib.Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self.crt, self.key = self.path / f'{name}.crt', self.path / f'{name}.key'
        openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-sha256', '-days', '30', '-noenc',
                '-subj', f'/CN={name}', '-keyout', self.key, '-out', self.crt)

    def issue(self, name, days=30):
        """For `name`, an address too; days -1: it has expired."""
        return Issued(self, name, days)


class Issued:
    def __init__(self, authority, name, days):
        self.name, self.ca = name, authority.crt
        base = authority.path / f'{name}{days}'
        self.crt, self.key = base.with_name(base.name + '.crt'), base.with_name(base.name + '.key')
        kind = 'IP' if name.replace('.', '').isdigit() else 'DNS'
        request = openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-subj', f'/CN={name}',
                          '-addext', f'subjectAltName={kind}:{name}', '-keyout', self.key)
        openssl('x509', '-req', '-CA', authority.crt, '-CAkey', authority.key, '-days', days, '-copy_extensions', 'copy',
                '-out', self.crt, stdin=request)
        self.key.chmod(0o600)

    def pin(self):
        return pin(self.crt)

    def items(self):
        """For section authd, or for a primary that it is shown to."""
        return f'tls-certificate = "{self.crt}" tls-key = "{self.key}"'

    def known(self):
        """For a primary that has it."""
        return f'tls = yes tls-hostname = "{self.name}" tls-ca = "{self.ca}"'


class Certificate:
    """A certificate that is its own authority, for `name`; files crt and key, the key with mode 0600."""

    def __init__(self, path, name='ns.example.test', key=('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'), days=365,
                 password=None):
        self.name = name
        path = pathlib.Path(path)
        path.mkdir(parents=True, exist_ok=True)
        self.crt, self.key = path / 'tls.crt', path / 'tls.key'
        lock = ['-passout', f'pass:{password}'] if password else ['-noenc']
        subprocess.run(['openssl', 'req', '-x509', *key, '-sha256', '-days', str(days), *lock, '-subj', f'/CN={name}',
                        '-addext', f'subjectAltName=DNS:{name}', '-keyout', self.key, '-out', self.crt],
                       check=True, capture_output=True)
        self.key.chmod(0o600)

    def items(self):
        """For section authd."""
        return f'tls-certificate = "{self.crt}" tls-key = "{self.key}"'

    def der(self):
        return ssl.PEM_cert_to_DER_cert(self.crt.read_text())

    def context(self, alpn=('dot',), version=None):
        """A client that trusts this certificate and nothing else."""
        c = ssl.create_default_context(cafile=self.crt)
        if alpn:
            c.set_alpn_protocols(list(alpn))
        if version:
            c.minimum_version = c.maximum_version = version
        return c
