"""The checks of a Redis before a daemon starts."""

import socket
from threading import Thread

import pytest
from twisted.trial.unittest import SynchronousTestCase

from chatd.backplane.redis import blocking, keys
from chatd.backplane.redis.address import RedisAddress
from chatd.backplane.redis.servercheck import check_server
from chatd.backplane.redis.serverstate import ServerState
from chatd.errors import ConfigurationError
from chatd.storage.values import Durability
from tests.backplane.redis.sentinels import MASTER
from tests.backplane.redis.servers import ALWAYS
from tests.docs.pages import block

INFO = {"redis_version": "7.0.15", "role": "master"}
SETTINGS = {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "always"}


def check(address, password=None, durability=Durability.FULL):
    """Check a server, and return the warnings."""
    warnings: list[str] = []
    check_server(address, lambda: password, durability, warnings.append)
    return warnings


def fault_of(info, settings, durability):
    return ServerState(info=info, settings=settings).fault(durability)


class FaultTests(SynchronousTestCase):
    def test_fits(self):
        """A server fits with the settings for the durability."""
        self.assertEqual(fault_of(INFO, SETTINGS, Durability.FULL), "")
        everysec = {**SETTINGS, "appendfsync": "everysec"}
        self.assertEqual(fault_of(INFO, everysec, Durability.NORMAL), "")
        self.assertEqual(fault_of(INFO, None, Durability.NORMAL), "")
        valkey = {"redis_version": "6.2", "valkey_version": "8.0", "role": "master"}
        self.assertEqual(fault_of(valkey, SETTINGS, Durability.FULL), "")

    def test_faults(self):
        """Each reason why a server does not fit is told."""
        for info, settings, durability, words in (
            ({"redis_version": "6.2.1"}, {}, "full", "its version is 6.2.1; chatd needs Redis 7.0"),
            ({"role": "slave"}, {}, "full", "it is a replica"),
            ({}, None, "full", "CONFIG GET is not allowed"),
            ({}, {"maxmemory-policy": "allkeys-lru"}, "normal", "which loses messages"),
            ({}, {"appendfsync": "everysec"}, "full", "appendfsync always"),
            ({}, {"appendonly": "no"}, "normal", "appendonly yes and appendfsync everysec"),
            ({}, {"appendfsync": "no"}, "normal", "appendonly yes and appendfsync everysec"),
        ):
            given = None if settings is None else {**SETTINGS, **settings}
            fault = fault_of({**INFO, **info}, given, Durability(durability))
            self.assertIn(words, fault)


def test_real(start_redis):
    """A real server with the right settings passes, over its socket and over TCP."""
    server = start_redis(*ALWAYS)
    assert check(RedisAddress(path=server.path)) == []
    assert check(RedisAddress(hosts=(("127.0.0.1", server.listen()),), database=1)) == []


def test_no_rights(start_redis):
    """Without the right to read settings, a warning says what cannot be checked."""
    server = start_redis(*ALWAYS)
    server.command("ACL", "SETUSER", "u", "on", ">pw", "~*", "&*", "+@all", "-config")
    address = RedisAddress(path=server.path, user="u", password="pw")
    (line,) = check(address, durability=Durability.NORMAL)
    assert "CONFIG GET is not allowed" in line
    with pytest.raises(ConfigurationError, match="give --durability normal"):
        check(address)


def test_refused(start_redis):
    """A wrong password, no password, and a server that is not there, are one line."""
    server = start_redis(*ALWAYS, "--requirepass", "right")
    with pytest.raises(ConfigurationError, match=r"Redis at .* refuses the login: WRONGPASS"):
        check(RedisAddress(path=server.path), "wrong")
    for database in (0, 1):
        with pytest.raises(ConfigurationError, match=r"Redis at .*: NOAUTH") as caught:
            check(RedisAddress(path=server.path, database=database))
        assert str(caught.value).endswith("; give its password in --backplane-password-file")
    server.kill()
    with pytest.raises(ConfigurationError, match=r"Connection refused|No such file"):
        check(RedisAddress(path=server.path))


def test_not_redis():
    """A server that is no Redis, or closes the connection, is one line."""
    for answer in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b""):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = RedisAddress(hosts=(listener.getsockname(),))

            def reply(listener=listener, answer=answer):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(100)
                    connection.sendall(answer)

            thread = Thread(target=reply)
            thread.start()
            with pytest.raises(ConfigurationError, match=r"Redis at 127.0.0.1"):
                check(address)
            thread.join()


def test_tls_of_a_plain_server(start_redis, monkeypatch):
    """TLS to a server without TLS fails in one line."""
    monkeypatch.setattr(blocking, "TIMEOUT_S", 0.05)  # it waits for more
    server = start_redis(*ALWAYS)
    address = RedisAddress(hosts=(("127.0.0.1", server.listen()),), is_tls=True)
    with pytest.raises(ConfigurationError, match=r"cannot connect to Redis at 127.0.0.1") as caught:
        check(address)
    assert len(str(caught.value).splitlines()) == 1


def test_newer_layout(start_redis):
    """Keys that a newer chatd has changed are refused in one line; older ones are not."""
    server = start_redis(*ALWAYS)
    address = RedisAddress(path=server.path)
    for layout in (keys.LAYOUT + 1, "none of ours"):
        server.command("SET", keys.key("layout"), layout)
        with pytest.raises(ConfigurationError) as caught:
            check(address)
        told = block("docs/how-to/upgrade.md", "a newer chatd has changed").strip()
        assert str(caught.value) == f"Redis at {server.path}: {told}"
    server.command("SET", keys.key("layout"), keys.LAYOUT - 1)
    assert check(address) == []


def test_frozen(start_redis, monkeypatch):
    """A server that does not answer is one line."""
    monkeypatch.setattr(blocking, "TIMEOUT_S", 0.05)
    server = start_redis(*ALWAYS)
    server.freeze()
    try:
        with pytest.raises(ConfigurationError, match="it does not answer"):
            check(RedisAddress(path=server.path))
    finally:
        server.thaw()


def test_sentinel(start_redis, start_sentinel):
    """The server is found through its Sentinels; if none knows it, each says why."""
    server = start_redis(*ALWAYS)
    sentinel = start_sentinel(server.listen())
    hosts = ("127.0.0.1", 1), ("127.0.0.1", sentinel.port)
    assert check(RedisAddress(hosts=hosts, master=MASTER)) == []
    with pytest.raises(ConfigurationError) as caught:
        check(RedisAddress(hosts=hosts, master="other"))
    assert str(caught.value) == (
        "the Sentinel 127.0.0.1:1: Connection refused; "
        f"the Sentinel 127.0.0.1:{sentinel.port} knows no other"
    )


def test_replica(start_redis):
    """A replica is refused."""
    server, replica = start_redis(*ALWAYS), start_redis(*ALWAYS)
    replica.follow(server)
    with pytest.raises(ConfigurationError, match="it is a replica"):
        check(RedisAddress(path=replica.path))
