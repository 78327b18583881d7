"""Certificates for the stories of TLS, made with the openssl command."""
import pathlib
import ssl
import subprocess


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
