"""The files of a TLS endpoint string: their paths, and checks that they can be served."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from twisted.internet.endpoints import quoteStringArgument

from chatd.config.ownfile import read_regular_file, why
from chatd.errors import ConfigurationError
from chatd.transport.endpointstrings import SERVER_KINDS, read_arguments

__all__ = ["PemDirectory", "TlsString", "check_files", "read_tls_string"]

T = TypeVar("T")

_FILES = ("privateKey", "certKey", "extraCertChain", "dhParameters")

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TlsString:
    """A TLS server endpoint string with absolute paths, as the daemon changes its directory later.

    Attributes:
        text: The string, with absolute paths.
        files: The paths of its files, for `ssl:`, by the names of the arguments.
        directory: The path of its directory, for `tls:`; None for `ssl:`.
    """

    text: str
    files: Mapping[str, str]
    directory: str | None


def read_tls_string(description: str) -> TlsString:
    """Find the files in an `ssl:` or `tls:` server endpoint string.

    Args:
        description: The string.

    Raises:
        ValueError: An argument is wrong.
    """
    kind = description.partition(":")[0]
    arguments = read_arguments(description, SERVER_KINDS)
    paths = {
        name: os.path.abspath(arguments[name]) for name in ("path", *_FILES) if name in arguments
    }
    given = {**arguments, **paths}.items()
    text = ":".join([kind, *(f"{name}={quoteStringArgument(value)}" for name, value in given)])
    directory = paths.pop("path", None)
    return TlsString(text, paths, directory)


def check_files(files: Mapping[str, str]) -> dict[str, x509.Certificate]:
    """Check that OpenSSL can serve the files of an `ssl:` endpoint, and name the file at fault.

    Args:
        files: See `TlsString`.

    Returns:
        The certificate of the server, by the path of its file.

    Raises:
        ConfigurationError: A file cannot be read, is damaged, or lacks its argument's object; or
            the key belongs to another certificate.
    """
    key_path = files["privateKey"]
    key: PrivateKeyTypes = _only(key_path, "privateKey", "private key", _load_key)
    path = files.get("certKey", key_path)
    certificate: x509.Certificate = _only(
        path, "certKey", "certificate", x509.load_pem_x509_certificate
    )
    if _bytes_of(certificate.public_key()) != _bytes_of(key.public_key()):
        raise ConfigurationError(f"the key in {key_path} does not match the certificate in {path}")
    if "extraCertChain" in files:
        load = x509.load_pem_x509_certificate
        _only(files["extraCertChain"], "extraCertChain", "certificate", load)
    if "dhParameters" in files:
        _only(files["dhParameters"], "dhParameters", "DH parameters", bytes)
    return {path: certificate}


def _only(path: str, argument: str, what: str, load: Callable[[bytes], T]) -> T:
    """Return the first object of a kind in a PEM file.

    Args:
        path: The file.
        argument: The argument that names it.
        what: The kind of the object.
        load: Reads an object from a PEM block.
    """
    label = what.upper().encode()  # as in `BEGIN EC PRIVATE KEY` and `BEGIN CERTIFICATE`
    data = _read_pem(path)
    for block in _BLOCK.finditer(data):
        if block[1].endswith(label):
            try:
                return load(block[0])
            except Exception as error:  # the libraries may raise anything for damaged files
                raise ConfigurationError(
                    f"{path}: damaged, or of an unsupported kind: its {what}"
                ) from error
    fault = f"cut short: its {what}" if label + b"-----" in data else f"it has no {what}"
    raise ConfigurationError(f"{path}: {fault}; {argument}= takes a PEM file with it")


def _read_pem(path: str) -> bytes:
    """Return the content of a PEM file."""
    try:
        data = read_regular_file(path)[0]  # OpenSSL would wait at a pipe
    except OSError as error:
        raise ConfigurationError(f"{path}: {why(error)}") from error
    if b"ENCRYPTED" in data:  # OpenSSL would ask at the terminal, and wait for the answer
        raise ConfigurationError(
            f"{path}: the key has a passphrase; use a key without a passphrase"
        )
    return data


def _load_key(block: bytes) -> PrivateKeyTypes:
    return load_pem_private_key(block, None)


@dataclass(frozen=True, slots=True)
class PemDirectory:
    """The hosts that `tls:` can serve from a directory of PEM files.

    Twisted serves each key with its certificate, for the hosts that the certificate names. It
    ignores a key without a certificate.

    Attributes:
        hosts: The names of the hosts.
        strays: The files of keys without a certificate.
        blanks: The files with neither a key nor a certificate.
        orphans: The files of certificates that name a host and belong to none of the keys.
        certificates: The certificates of the keys, by the paths of their files.
    """

    hosts: frozenset[str]
    strays: tuple[str, ...]
    blanks: tuple[str, ...]
    orphans: tuple[str, ...]
    certificates: Mapping[str, x509.Certificate]

    @classmethod
    def read(cls, directory: str) -> PemDirectory:
        """Read all files whose names end in `.pem`, as Twisted does.

        Raises:
            ConfigurationError: A file cannot be read or is damaged, or there is no key with a
                certificate that names a host.
        """
        if not os.path.isdir(directory):
            raise ConfigurationError(
                f"{directory} is not a directory; tls: takes a directory of files *.pem"
            )
        try:
            os.listdir(directory)
        except OSError as error:
            raise ConfigurationError(f"{directory}: {why(error)}") from error
        keys: list[tuple[str, bytes]] = []
        hosts_of: dict[bytes, dict[str, str]] = {}
        certificates: dict[str, list[x509.Certificate]] = {}
        blanks = []
        for path in sorted(Path(directory).rglob("*.pem")):
            if path.is_file() and not _read_blocks(str(path), keys, hosts_of, certificates):
                blanks.append(str(path))
        hosts = frozenset(host for _, public in keys for host in hosts_of.get(public, ()))
        strays = tuple(path for path, public in keys if public not in hosts_of)
        publics = {public for _, public in keys}
        orphans = (
            file for key, files in hosts_of.items() if key not in publics for file in files.values()
        )
        served = {
            path: certificate
            for path, all_in_file in certificates.items()
            for certificate in all_in_file
            if _bytes_of(certificate.public_key()) in publics
        }
        found = cls(hosts, strays, tuple(blanks), tuple(dict.fromkeys(orphans)), served)
        if not hosts and strays:
            raise ConfigurationError(found._why_stray())
        if not hosts:
            raise ConfigurationError(
                f"the files *.pem in {directory} have no key with a certificate that names a host"
            )
        return found

    def check_successor(self, new: PemDirectory) -> None:
        """Check that the present content of the directory may replace this content.

        Raises:
            ConfigurationError: A host could no longer be served, because a key has no certificate.
        """
        lost = sorted(self.hosts - new.hosts)
        if lost and new.strays:
            raise ConfigurationError(
                f"{new._why_stray()}; there is no certificate for {', '.join(lost)}"
            )

    def _why_stray(self) -> str:
        """Return why a key has no certificate, and name the file that is probably at fault."""
        why = f"no certificate matches the key in {self.strays[0]}"
        if self.blanks:
            return f"{self.blanks[0]} has neither a key nor a certificate, and {why}"
        if self.orphans:
            return f"{why}: the certificate in {self.orphans[0]} is for another key"
        return why


def _read_blocks(
    path: str,
    keys: list[tuple[str, bytes]],
    hosts_of: dict[bytes, dict[str, str]],
    certificates: dict[str, list[x509.Certificate]],
) -> bool:
    """Read the keys and certificates of a file.

    Args:
        path: The file.
        keys: Gets the file and the public key of each private key.
        hosts_of: Gets, by the public key of each certificate, its hosts and the file.
        certificates: Gets the certificates of each file.

    Returns:
        Whether there are any.
    """
    count = 0
    data = _read_pem(path)
    for block in _BLOCK.finditer(data):
        count += 1
        try:
            if b"CERTIFICATE" in block[1]:
                certificate = x509.load_pem_x509_certificate(block[0])
                public = _bytes_of(certificate.public_key())
                hosts = dict.fromkeys(_hosts_in(certificate), path)
                hosts_of.setdefault(public, {}).update(hosts)
                certificates.setdefault(path, []).append(certificate)
            else:
                keys.append((path, _bytes_of(load_pem_private_key(block[0], None).public_key())))
        except Exception as error:  # the libraries may raise anything for damaged files
            raise ConfigurationError(f"{path}: damaged, or of an unsupported kind") from error
    if count < max(data.count(b"-----BEGIN "), data.count(b"-----END ")):
        raise ConfigurationError(f"{path}: damaged: a key or a certificate is cut short")
    return count > 0


def _bytes_of(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _hosts_in(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return names.value.get_values_for_type(x509.DNSName)
