"""Connections to Redis: the login, TLS, Sentinels, and the reasons of their failures."""

from functools import partial

import pytest
from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol

from chatd.backplane.redis.address import RedisAddress
from chatd.backplane.redis.connections import Commands
from chatd.backplane.redis.dialling import Dialler
from chatd.errors import ConfigurationError, StoreError
from tests.fakes.pems import write_certificate

# Twisted reads certificates with functions that pyOpenSSL has deprecated.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*pyOpenSSL:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:X509:DeprecationWarning"),
]


async def dial(address, password=lambda: None):
    """Connect, and return the connection."""
    return await Dialler(reactor, address, password)(Commands)


async def refusal(address, password=lambda: None):
    """Return the one line of a failure to connect."""
    with pytest.raises(StoreError) as caught:
        await dial(address, password)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


class Sentinel(Protocol):
    """Gives each question the same answer."""

    def __init__(self, answer):
        self.answer = answer

    def dataReceived(self, _):
        self.transport.write(self.answer)


class Listener(Protocol):
    """Keeps what it hears, and says that the login is wrong."""

    def __init__(self, heard):
        self.heard = heard

    def dataReceived(self, data):
        self.heard.append(data)
        self.transport.write(b"-WRONGPASS no\r\n")


async def listen(answer, description="tcp:0:interface=127.0.0.1"):
    """Listen with a `Sentinel`."""
    factory = Factory.forProtocol(partial(Sentinel, answer))
    return await serverFromString(reactor, description).listen(factory)


def at(port):
    """Return the host and port of a listening port."""
    return ("localhost", port.getHost().port)


async def test_login(start_redis):
    """The connection is logged in, and has the database selected."""
    server = start_redis("--requirepass", "right")
    made = await dial(RedisAddress(path=server.path, database=3), lambda: "right")
    try:
        assert b" db=3 " in await made.execute_command("CLIENT", "INFO")
    finally:
        await made.abort()


async def test_password_changes(start_redis):
    """Each connection asks for the password anew."""
    server = start_redis("--requirepass", "new")
    passwords = ["old", "new"]
    dialler = Dialler(reactor, RedisAddress(path=server.path), lambda: passwords.pop(0))
    with pytest.raises(StoreError, match="refuses the login: WRONGPASS"):
        await dialler(Commands)
    await (await dialler(Commands)).abort()


async def test_unreadable_password(start_redis):
    """A password file that cannot be read any more is the reason."""

    def unreadable():
        raise ConfigurationError("cannot read it")

    address = RedisAddress(path=start_redis().path)
    assert await refusal(address, unreadable) == "cannot read it"


async def test_no_server(tmp_path):
    """A server that is not there is one line with its place."""
    assert "cannot connect to Redis at" in await refusal(RedisAddress(path=str(tmp_path / "no")))


async def test_untrusted_certificate(tmp_path):
    """A certificate of an unknown authority is the reason, without the password."""
    write_certificate(tmp_path / "c.pem")
    pem = tmp_path / "c.pem"
    port = await listen(b"+OK\r\n", f"ssl:0:interface=127.0.0.1:privateKey={pem}:certKey={pem}")
    try:
        address = RedisAddress(hosts=(at(port),), is_tls=True, password="secret")
        text = await refusal(address)
        assert "TLS failed: certificate verify failed" in text
        assert "secret" not in text
    finally:
        await port.stopListening()


async def test_in_the_clear(start_redis):
    """Without `rediss://`, commands and logins are sent to Redis in plain text."""
    heard: list[bytes] = []
    way = await serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(
        Factory.forProtocol(partial(Listener, heard))
    )
    try:
        address = RedisAddress(hosts=(at(way),))
        await refusal(address, lambda: "a password")
        assert b"a password" in b"".join(heard)
    finally:
        await way.stopListening()


async def test_sentinels(start_redis):
    """The first Sentinel that knows the server tells its place, anew at each connection."""
    server = start_redis()
    redis_port = str(server.listen()).encode()
    unknowing = await listen(b"*-1\r\n")
    answer = b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%s\r\n" % (len(redis_port), redis_port)
    knowing = await listen(answer)
    address = RedisAddress(hosts=(at(unknowing), at(knowing)), master="chat")
    try:
        made = await dial(address)
        assert made.transport.getPeer().port == int(redis_port)
        await made.abort()
        await knowing.stopListening()
        text = await refusal(address)
        assert "knows no chat" in text
        assert "Connection was refused" in text
    finally:
        await unknowing.stopListening()
        await maybeDeferred(knowing.stopListening)  # None where it has stopped already
