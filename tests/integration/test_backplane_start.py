"""The start of a daemon on a backplane: what it reads, and what it refuses."""

import re
from base64 import urlsafe_b64encode

import pytest
from twisted.internet import reactor
from twisted.logger import LogLevel, capturedLogs, formatEvent

from chatd import write_key_file
from chatd.config.passwordedit import set_password
from chatd.daemon.build import make_service
from chatd.daemon.settings import Settings
from chatd.errors import StartupError
from chatd.wire.keys import mac_key
from tests.backplane.redis.servers import ALWAYS, RedisServer
from tests.fakes.passwords import CHEAP
from tests.integration.daemons import connect, stop
from tests.integration.processes import daemon
from tests.integration.sessions import leave
from tests.integration.tools import tool


@pytest.fixture
def redis():
    """Return a redis-server with a password."""
    tool("redis-server")
    server = RedisServer(*ALWAYS, "--requirepass", "right").start()
    yield server
    server.remove()


@pytest.fixture
def password_file(tmp_path):
    """Return the file with the server's password."""
    file = tmp_path / "password"
    file.write_text("right\n")
    file.chmod(0o600)
    return file


@pytest.fixture
def service(redis, password_file):
    """Return a daemon that was made, but has not started."""
    return make_service(
        reactor,
        Settings(
            endpoints=["tcp:0:interface=127.0.0.1"],
            backplane=f"unix:{redis.path}",
            backplane_password_file=str(password_file),
        ),
    )


async def test_password_file_lost(service, password_file):
    """A daemon that can read the password at first but not later does not start."""
    password_file.unlink()  # as if the daemon had given up root's rights
    with pytest.raises(StartupError, match=r"^chatd: cannot read the backplane password file"):
        service.startService()
    await service.stopService()


def test_line(redis, password_file, endpoint):
    """A daemon logs once where the messages are, without the password, and how durable they are."""
    url = f"unix:{redis.path}"
    options = ["--backplane", url, "--backplane-password-file", password_file]
    with daemon(*options, endpoint=endpoint) as process:
        process.output.wait_for(re.escape(f"messages in {url} (durability: full)"))
        redis.kill()
        process.output.wait_for("the backplane cannot be used: ")
        redis.start()
        process.output.wait_for("the backplane works again after ")
        stop(process)
    assert process.output.text.count("messages in unix:") == 1
    assert "#debug" not in process.output.text


async def test_stop_at_once(service):
    """A daemon that stops before it is attached blames no store, and leaves nothing behind."""
    service.startService()
    with capturedLogs() as events:
        await service.stopService()
    assert [formatEvent(e) for e in events if e["log_level"] >= LogLevel.warn] == []


async def test_no_secrets(redis, password_file, tmp_path, endpoint):
    """Redis gets the messages of a daemon, but not its key, and no password or hash of one."""
    key = write_key_file(tmp_path / "key")
    set_password(tmp_path / "passwords", "ann", "open sesame", hasher=CHEAP)
    options = ["--key-file", tmp_path / "key", "--password-file", tmp_path / "passwords"]
    options += ["--backplane", f"unix:{redis.path}", "--backplane-password-file", password_file]
    with daemon(*options, endpoint=endpoint) as process:
        ann = await connect(endpoint, "ann", key=key, password="open sesame")
        await ann.change_password("open sesame", "shut sesame")
        await ann.send("a word for Redis")
        await leave(ann)
        stop(process)
    written = b"".join(each.read_bytes() for each in redis.directory.rglob("*.aof"))
    assert b"a word for Redis" in written
    for secret in (key, key.hex().encode(), urlsafe_b64encode(key).rstrip(b"="), mac_key(key)):
        assert secret not in written
    for secret in (b"sesame", b"argon2"):
        assert secret not in written
