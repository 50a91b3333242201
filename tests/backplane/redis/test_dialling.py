"""Connections to Redis: the login, TLS, Sentinels, and the reasons of their failures."""

from functools import partial

import msgspec
import pytest
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, fail, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol

from chatd.backplane.redis.address import RedisAddress, parse_address
from chatd.backplane.redis.connections import Commands, LostError
from chatd.backplane.redis.dialling import Dialler, ReactorConnect
from chatd.errors import ConfigurationError, StoreError
from tests.backplane.redis.sentinels import MASTER
from tests.fakes.pems import write_certificate

# Twisted reads certificates with functions that pyOpenSSL has deprecated.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*pyOpenSSL:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:X509:DeprecationWarning"),
]


async def dial(address, password=lambda: None):
    """Connect, and return the connection."""
    return await Dialler(ReactorConnect(reactor), address, password)(Commands)


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


def answer_of(port):
    """Return the answer of a Sentinel that names a port of this machine."""
    return b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%d\r\n" % (len(str(port)), port)


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
    dialler = Dialler(
        ReactorConnect(reactor), RedisAddress(path=server.path), lambda: passwords.pop(0)
    )
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
    knowing = await listen(answer_of(int(redis_port)))
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


async def test_password_in_the_url(start_redis):
    """The password of the URL is used where no file has one."""
    server = start_redis("--requirepass", "right")
    await (await dial(RedisAddress(path=server.path, password="right"))).abort()


async def test_stale_sentinel(start_redis):
    """A Sentinel that names a dead server or a replica is not believed; the next is asked."""
    server, replica = start_redis(), start_redis()
    replica.follow(server)
    named = [1, replica.port, server.port]
    sentinels = [await listen(answer_of(port)) for port in named]
    address = RedisAddress(hosts=tuple(map(at, sentinels)), master="chat")
    try:
        made = await dial(address)
        assert made.transport.getPeer().port == server.port
        await made.abort()
        text = await refusal(msgspec.structs.replace(address, hosts=address.hosts[:2]))
        assert "Connection was refused" in text
        assert "it is a replica, though a Sentinel calls it the master" in text
    finally:
        for each in sentinels:
            await each.stopListening()


class Logged(ReactorConnect):
    """Notes the ports to which it connects; one of them never answers.

    Attributes:
        ports: The ports.
    """

    def __init__(self, reactor, silent):
        super().__init__(reactor)
        self.ports = []
        self._silent = silent

    async def __call__(self, place, make):
        self.ports.append(place.port)
        return await super().__call__(place, make)

    def in_time(self, reply):
        if self.ports[-1] == self._silent:
            reply.addErrback(lambda failure: failure.trap(LostError))  # it is closed now
            return fail(TimeoutError())
        return super().in_time(reply)


async def test_silent_sentinel(start_redis):
    """A Sentinel that does not answer costs its time once; the next call asks the others first."""
    server = start_redis()
    redis_port = server.listen()
    sentinels = [await listen(b""), await listen(answer_of(redis_port))]
    silent, knowing = (each.getHost().port for each in sentinels)
    connect = Logged(reactor, silent)
    address = RedisAddress(hosts=tuple(map(at, sentinels)), master="chat")
    dialler = Dialler(connect, address, lambda: None)
    try:
        for _ in range(2):
            await (await dialler(Commands)).abort()
        assert connect.ports == [silent, knowing, redis_port, knowing, redis_port]
    finally:
        for each in sentinels:
            await each.stopListening()


class Cancelling(ReactorConnect):
    """Cancels an attempt soon after it has made a connection to a port.

    Attributes:
        attempt: The attempt.
        closed: Fires when that connection is closed.
    """

    def __init__(self, reactor, port):
        super().__init__(reactor)
        self.attempt = None
        self.closed: Deferred[str] = Deferred()
        self._port = port

    async def __call__(self, place, make):
        made = await super().__call__(place, make)
        if place.port == self._port:
            made.on_lost = self.closed.callback
            reactor.callLater(0, self.attempt.cancel)
        return made


@pytest.mark.parametrize("password", [None, "secret"])
async def test_cancelled(running_reactor, password):
    """An attempt that is given up leaves no connection behind."""
    silent = await listen(b"")
    port = silent.getHost().port
    sentinel = await listen(answer_of(port))
    connect = Cancelling(reactor, port)
    address = RedisAddress(hosts=(at(sentinel),), master="chat")
    dialler = Dialler(connect, address, lambda: password)
    connect.attempt = Deferred.fromCoroutine(dialler(Commands))
    try:
        with pytest.raises(CancelledError):
            await connect.attempt
        await connect.closed
    finally:
        for each in (silent, sentinel):
            await each.stopListening()


async def test_dead_server(running_reactor):
    """A server that several Sentinels name is tried once at each connection."""
    sentinels = [await listen(answer_of(1)) for _ in range(2)]
    ports = [each.getHost().port for each in sentinels]
    connect = Logged(reactor, None)
    address = RedisAddress(hosts=tuple(map(at, sentinels)), master="chat")
    try:
        with pytest.raises(StoreError, match=r"cannot connect to Redis at 127\.0\.0\.1:1: "):
            await Dialler(connect, address, lambda: None)(Commands)
        assert connect.ports == [ports[0], 1, ports[1]]
    finally:
        for each in sentinels:
            await each.stopListening()


async def test_sentinel_with_password(start_redis, start_sentinel):
    """A Sentinel that asks for a password gets that of Redis; a wrong one is the reason."""
    server = start_redis("--requirepass", "right")
    server.command("AUTH", "right")
    port = server.listen()
    own = f"sentinel auth-pass {MASTER} right"
    sentinel = start_sentinel(port, own, "requirepass right")
    hosts = (("127.0.0.1", sentinel.port),)
    address = RedisAddress(hosts=hosts, master=MASTER)
    made = await dial(address, lambda: "right")
    assert made.transport.getPeer().port == port
    await made.abort()
    assert "NOAUTH" in await refusal(address)
    text = await refusal(address, lambda: "wrong")
    assert text.startswith(f"the Sentinel 127.0.0.1:{sentinel.port}: WRONGPASS")
    assert "right" not in text


async def test_sentinel_over_tls(start_redis, start_sentinel, tmp_path, monkeypatch):
    """With TLS, the connections to the Sentinel and to Redis are both checked."""
    pem = tmp_path / "c.pem"
    write_certificate(pem)
    options = [f"--tls-{name}-file" for name in ("cert", "key", "ca-cert")]
    server = start_redis(*(word for each in options for word in (each, str(pem))))
    server.command("CONFIG", "SET", "tls-auth-clients", "no")
    port = server.listen("tls-port")
    sentinel = start_sentinel(port, certificate=pem)
    address = parse_address(f"rediss+sentinel://localhost:{sentinel.port}/{MASTER}")
    assert "TLS failed: certificate verify failed" in await refusal(address)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    made = await dial(address)
    assert made.transport.getPeer().port == port
    assert await made.execute_command("PING") == b"PONG"
    await made.abort()
    plain = parse_address(f"redis+sentinel://localhost:{sentinel.port}/{MASTER}")
    assert f"the Sentinel localhost:{sentinel.port}: " in await refusal(plain)
