"""Certificates of an authority of our own, made with openssl and thrown away with the test."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Certificate:
    """A certificate, its key and who signed it, as PEM files."""

    certificate: Path
    key: Path
    authority: Path

    def server_context(self, client_authority=None):
        """For a Python server; with an authority, clients must show a certificate of it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        if client_authority:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_authority)
        return context

    def client_context(self, shows=None):
        """For a Python client that trusts the authority of this certificate, and shows another of its own."""
        context = ssl.create_default_context(cafile=str(self.authority))
        if shows:
            context.load_cert_chain(shows.certificate, shows.key)
        return context


class Authority:
    """Signs certificates for loopback."""

    def __init__(self, directory, name="authority"):
        if shutil.which("openssl") is None:
            pytest.skip("openssl is not installed")
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.certificate = self.directory / f"{name}.pem"
        self._key = self.directory / f"{name}.key"
        self._openssl("req", "-x509", *self._new_key(self._key), "-days", "2", "-subj", f"/CN={name}", "-addext",
                      "basicConstraints=critical,CA:TRUE", "-out", self.certificate)

    def issue(self, name, names=("IP:127.0.0.1", "DNS:localhost")):
        """A certificate that bears these names, good for servers and for clients."""
        made = Certificate(self.directory / f"{name}.pem", self.directory / f"{name}.key", self.certificate)
        request, extensions = self.directory / f"{name}.csr", self.directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName={','.join(names)}\nextendedKeyUsage=serverAuth,clientAuth\n")
        self._openssl("req", *self._new_key(made.key), "-subj", f"/CN={name}", "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial",
                      "-days", "2", "-extfile", extensions, "-out", made.certificate)
        return made

    @staticmethod
    def _new_key(path):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path]

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
