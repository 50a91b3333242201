"""Sessions inside TLS, as Twisted's endpoints make it."""

import datetime
import socket
from contextlib import asynccontextmanager

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.internet import reactor

import chatd
from chatd import write_key_file
from chatd.service import Settings, make_service
from tests.integration.sessions import leave

MIB = 1024 * 1024

# Twisted reads certificates with what pyOpenSSL would rather have replaced.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*pyOpenSSL:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:X509:DeprecationWarning"),
]


def write_certificate(path):
    """Write a new key and its self-signed certificate for `localhost` to a PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + certificate.public_bytes(Encoding.PEM))


def has_ipv6():
    """Say whether this machine has an IPv6 loopback address."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.fixture
def certificates(tmp_path):
    """Return a directory with a certificate and its key."""
    directory = tmp_path / "certificates"
    directory.mkdir()
    write_certificate(directory / "localhost.pem")
    return directory


@asynccontextmanager
async def serving(listen, key_file=None):
    """Run a server for the time of a context, and yield its service and port."""
    service = make_service(reactor, Settings(endpoints=[listen], key_file=key_file))
    service.startService()
    try:
        yield service, service.listeners[0].port.getHost().port
    finally:
        await service.stopService()


def ssl_server(certificates):
    """Return the string of an `ssl:` server endpoint."""
    pem = certificates / "localhost.pem"
    return f"ssl:0:privateKey={pem}:certKey={pem}:interface=127.0.0.1"


def ssl_client(certificates, port):
    """Return the string of an `ssl:` client endpoint, which verifies the certificate."""
    return f"ssl:127.0.0.1:{port}:caCertsDir={certificates}:hostname=localhost"


def tls_client(certificates, port, host="127.0.0.1"):
    """Return the string of a `tls:` client endpoint, which verifies the certificate."""
    host = host.replace(":", r"\\\:")
    return rf"tls:localhost:{port}:trustRoots={certificates}:endpoint=tcp\:{host}\:{port}"


@pytest.mark.parametrize("client_string", [ssl_client, tls_client])
@pytest.mark.parametrize("has_key", [False, True], ids=["clear", "key"])
async def test_exchange(certificates, tmp_path, client_string, has_key):
    """Clients talk through TLS as they do without, with a key and without one."""
    key_file = tmp_path / "key" if has_key else None
    key = write_key_file(key_file) if key_file else None
    async with serving(ssl_server(certificates), key_file) as (_, port):
        there = client_string(certificates, port)
        alice = await chatd.connect(reactor, there, key=key, name="alice")
        bob = await chatd.connect(reactor, there, key=key, name="bob")
        content = bytes(range(256)) * (MIB // 256)

        assert (await alice.send(content)).content == content
        assert (await bob.__anext__()).content == content
        await leave(alice, bob)


async def test_shutdown(certificates):
    """A server that stops tells those who are connected through TLS."""
    async with serving(ssl_server(certificates)) as (service, port):
        there = ssl_client(certificates, port)
        clients = [await chatd.connect(reactor, there) for _ in range(3)]
        await service.stopService()

        ends = [await client.when_ended() for client in clients]
        assert {(end.code, end.retry) for end in ends} == {("shutting-down", True)}


@pytest.mark.parametrize("client_string", [ssl_client, tls_client])
async def test_untrusted_certificate(certificates, tmp_path, client_string):
    """A server whose certificate is not trusted is not spoken to."""
    write_certificate(tmp_path / "another.pem")
    async with serving(ssl_server(certificates)) as (service, port):
        with pytest.raises(chatd.SessionEnded, match=r"lost: TLS: certificate verify failed$"):
            await chatd.connect(reactor, client_string(tmp_path, port))
        assert not service.factory.sessions


@pytest.mark.parametrize("client_string", [ssl_client, tls_client])
async def test_certificate_of_another_host(certificates, client_string):
    """Nor is one whose certificate is trusted, and another host's."""
    async with serving(ssl_server(certificates)) as (service, port):
        there = client_string(certificates, port).replace("localhost", "chat.example")
        with pytest.raises(chatd.SessionEnded, match=r"TLS: the certificate is not that host's$"):
            await chatd.connect(reactor, there)
        assert not service.factory.sessions


async def test_server_without_tls(certificates):
    """Who speaks TLS to a server that does not gets no session, and does not wait for one."""
    async with serving("tcp:0:interface=127.0.0.1") as (service, port):
        with pytest.raises(chatd.SessionEnded):
            await chatd.connect(reactor, ssl_client(certificates, port))
        assert not service.factory.sessions


@pytest.mark.skipif(not has_ipv6(), reason="needs IPv6")
async def test_tls_server(certificates):
    """A `tls:` server endpoint serves too, with the certificates of a directory."""
    listen = rf"tls:{certificates}:0:interface=\:\:1"
    async with serving(listen) as (_, port):
        client = await chatd.connect(reactor, tls_client(certificates, port, "::1"))
        assert (await client.send("hello")).text == "hello"
        await leave(client)
