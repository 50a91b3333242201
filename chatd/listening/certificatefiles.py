"""The files of a TLS endpoint string: their paths, and checks that `tls:` can serve them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from twisted.internet.endpoints import quoteStringArgument

from chatd.config.ownfile import read_regular_file, why
from chatd.errors import ConfigurationError

__all__ = ["PemDirectory", "TlsString", "read_tls_string"]

_ARGUMENTS = {
    "ssl": (
        *("port", "privateKey", "certKey", "sslmethod", "interface", "backlog"),
        *("extraCertChain", "dhParameters"),
    ),
    "tls": ("path", "port", "backlog", "interface"),
}
"""The names of the arguments of Twisted's server endpoints, in order of position."""
_FILES = ("privateKey", "certKey", "extraCertChain", "dhParameters")
_USUAL_KEY = "server.pem"
"""The file that Twisted reads if an `ssl:` string names no key."""

_WORD = re.compile(r"(?:^|:)((?:\\.|[^\\:])*)", re.DOTALL)
_NAMED = re.compile(r"((?:\\.|[^\\=])*)=(.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TlsString:
    """A TLS server endpoint string with absolute paths, as the daemon changes its directory later.

    Attributes:
        text: The string, with absolute paths.
        files: The paths of its files, for `ssl:`.
        directory: The path of its directory, for `tls:`; None for `ssl:`.
    """

    text: str
    files: tuple[str, ...]
    directory: str | None


def read_tls_string(description: str) -> TlsString:
    """Find the files in an `ssl:` or `tls:` server endpoint string.

    Args:
        description: The string; Twisted must accept it.
    """
    kind, *words = _WORD.findall(description)
    names = iter(_ARGUMENTS[kind])
    arguments: dict[str, str] = {}
    for word in words:
        named = _NAMED.fullmatch(word)
        name, value = (named[1], named[2]) if named else (next(names), word)
        arguments[name] = value
    if kind == "ssl":
        arguments.setdefault("privateKey", _USUAL_KEY)
    paths = {
        name: os.path.abspath(_ESCAPED.sub(r"\1", arguments[name]))
        for name in ("path", *_FILES)
        if name in arguments
    }
    arguments |= {name: quoteStringArgument(path) for name, path in paths.items()}
    text = ":".join([kind, *(f"{name}={value}" for name, value in arguments.items())])
    directory = paths.pop("path", None)
    return TlsString(text, tuple(paths.values()), directory)


@dataclass(frozen=True, slots=True)
class PemDirectory:
    """The hosts that `tls:` can serve from a directory of PEM files.

    Twisted serves each key with its certificate, for the hosts that the certificate names. It
    ignores a key without a certificate.

    Attributes:
        hosts: The names of the hosts.
        strays: The files of keys without a certificate.
    """

    hosts: frozenset[str]
    strays: tuple[str, ...]

    @classmethod
    def read(cls, directory: str) -> PemDirectory:
        """Read all files whose names end in `.pem`, as Twisted does.

        Raises:
            ConfigurationError: A file cannot be read or is damaged, or there is no key with a
                certificate that names a host.
        """
        if not os.path.isdir(directory):
            raise ConfigurationError(f"{directory} is not a directory")
        keys: list[tuple[str, bytes]] = []
        hosts_of: dict[bytes, set[str]] = {}
        for path in sorted(Path(directory).rglob("*.pem")):
            if path.is_file():
                _read_blocks(str(path), keys, hosts_of)
        hosts = frozenset(host for _, public in keys for host in hosts_of.get(public, ()))
        strays = tuple(path for path, public in keys if public not in hosts_of)
        if not hosts and strays:
            raise ConfigurationError(f"no certificate matches the key in {strays[0]}")
        if not hosts:
            raise ConfigurationError(
                f"the files *.pem in {directory} have no key with a certificate that names a host"
            )
        return cls(hosts, strays)

    def check_successor(self, new: PemDirectory) -> None:
        """Check that the present content of the directory may replace this content.

        Raises:
            ConfigurationError: A host could no longer be served, because a key has no certificate.
        """
        lost = sorted(self.hosts - new.hosts)
        if lost and new.strays:
            raise ConfigurationError(
                f"no certificate matches the key in {new.strays[0]}; there is no certificate for "
                f"{', '.join(lost)}"
            )


def _read_blocks(path: str, keys: list[tuple[str, bytes]], hosts_of: dict[bytes, set[str]]) -> None:
    """Add the keys and certificates of a file to `keys` and `hosts_of`."""
    try:
        data = read_regular_file(path)[0]
    except OSError as error:
        raise ConfigurationError(f"{path}: {why(error)}") from error
    for block in _BLOCK.finditer(data):
        try:
            if b"CERTIFICATE" in block[1]:
                certificate = x509.load_pem_x509_certificate(block[0])
                public = _bytes_of(certificate.public_key())
                hosts_of.setdefault(public, set()).update(_hosts_in(certificate))
            else:
                keys.append((path, _bytes_of(load_pem_private_key(block[0], None).public_key())))
        except Exception as error:  # the libraries may raise anything for damaged files
            raise ConfigurationError(f"{path}: damaged, or of an unsupported kind") from error


def _bytes_of(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _hosts_in(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return names.value.get_values_for_type(x509.DNSName)
