"""The start of a daemon on a backplane: what it reads, and what it refuses."""

import pytest
from twisted.internet import reactor
from twisted.logger import LogLevel, capturedLogs, formatEvent

from chatd.daemon.build import make_service
from chatd.daemon.settings import Settings
from chatd.errors import StartupError
from tests.backplane.redis.servers import ALWAYS, RedisServer
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


async def test_stop_at_once(service):
    """A daemon that stops before it is attached blames no store, and leaves nothing behind."""
    service.startService()
    with capturedLogs() as events:
        await service.stopService()
    assert [formatEvent(e) for e in events if e["log_level"] >= LogLevel.warn] == []
