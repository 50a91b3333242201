"""A daemon whose disk is full, cannot be written, or holds damaged files."""

import errno
import os
import pathlib
import re
import resource
import shutil
import signal

import pytest
from twisted.internet import reactor

import chatd
from chatd import RequestError
from tests.integration.daemons import complaint_of
from tests.integration.mounts import mounting
from tests.integration.processes import Daemonized, daemon, run_command, script
from tests.integration.sessions import leave

SMALL = "x" * 10
LARGE = b"y" * 100_000
FOREGROUND = ("twistd", "-n")
PAGE = 4096
LOG_BYTES = 512 * 1024
"""Length of an existing log, in bytes: more than a database will have."""


@pytest.fixture
def data(tmp_path):
    """Return an empty directory."""
    directory = tmp_path / "data"
    directory.mkdir()
    return directory


class LimitedFiles:
    """A disk on which no file can grow, for the daemon."""

    def __init__(self, tmp_path, data):
        self._pid_file = tmp_path / "pid"
        self._data = data
        self.program = (*FOREGROUND, f"--pidfile={self._pid_file}")

    def fill(self):
        """Limit files to the length of the largest."""
        largest = max(path.stat().st_size for path in self._data.iterdir())
        self._limit(largest)

    def free(self):
        """Lift the limit."""
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size):
        pid = int(self._pid_file.read_text())
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


class FullDisk:
    """A small disk of the daemon's own, filled to the last byte.

    Attributes:
        before: A command that mounts the disk and runs the daemon.
        program: The daemon in the foreground, with that disk.
    """

    def __init__(self, tmp_path, data):
        self._pid_file = tmp_path / "chatd.pid"
        self._data = data
        self.before = mounting('mount -t tmpfs -o size=2m none "$0"', data)
        self.program = (*self.before, script("twistd"), "-n", f"--pidfile={self._pid_file}")

    @property
    def directory(self):
        """The disk's directory, as the daemon sees it."""
        return pathlib.Path(f"/proc/{self._pid_file.read_text()}/root/{self._data}")

    @property
    def _ballast(self):
        return self.directory / "ballast"

    def fill(self):
        """Fill the disk."""
        written = PAGE
        with self._ballast.open("wb", buffering=0) as file:
            while written == PAGE:
                try:
                    written = file.write(bytes(PAGE))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    written = 0

    def free(self):
        """Free space again."""
        self._ballast.unlink()


@pytest.mark.parametrize("disk_class", [LimitedFiles, FullDisk])
async def test_full(tmp_path, data, endpoint, disk_class):
    """On a full disk, senders get errors, and nobody gets the messages; then all goes on."""
    disk = disk_class(tmp_path, data)
    with daemon("--data", data, endpoint=endpoint, program=disk.program) as process:
        alice = await chatd.connect(reactor, endpoint, name="alice")
        bob = await chatd.connect(reactor, endpoint, name="bob")
        said = [await alice.send("before", id="0")]
        disk.fill()
        for number in (1, 2, 3):
            with pytest.raises(RequestError) as caught:
                await alice.send(LARGE, id=str(number))
            assert caught.value.code == "not-stored"
            assert str(data) not in str(caught.value)
        history = await bob.history("lobby")
        assert history.messages == said
        carol = await chatd.connect(reactor, endpoint, name="carol", rooms=["cellar"])
        await leave(carol)

        disk.free()
        said += [await alice.send(LARGE, id=str(number)) for number in (1, 2, 3)]
        assert [message.seq for message in said] == [1, 2, 3, 4]
        assert [await bob.__anext__() for _ in said] == said
        history = await bob.history("lobby")
        assert history.messages == said
        await leave(alice, bob)
        process.send_signal(signal.SIGTERM)
        process.wait()
        written = process.output.text + process.errors.text
        assert "Traceback" not in written
        assert re.search(r"the store failed: .*(disk I/O error|disk is full)", written)
    if disk_class is LimitedFiles:  # the other disk is gone with the daemon
        with daemon("--data", data, endpoint=endpoint):
            bob = await chatd.connect(reactor, endpoint, name="bob")
            history = await bob.history("lobby")
            assert history.messages == said
            await leave(bob)


async def test_full_to_its_end(tmp_path, data, endpoint):
    """A daemon with a full disk stops normally, and keeps confirmed messages."""
    disk = LimitedFiles(tmp_path, data)
    with daemon("--data", data, endpoint=endpoint, program=disk.program) as process:
        alice = await chatd.connect(reactor, endpoint, name="alice")
        said = [await alice.send(f"before {number}") for number in range(20)]
        disk.fill()
        with pytest.raises(RequestError):
            await alice.send(LARGE)
        process.send_signal(signal.SIGTERM)
        assert (await alice.when_ended()).code == "shutting-down"
        assert process.wait() == -signal.SIGTERM
        assert "Traceback" not in process.output.text + process.errors.text
    with daemon("--data", data, endpoint=endpoint):
        bob = await chatd.connect(reactor, endpoint, name="bob")
        history = await bob.history("lobby")
        assert history.messages == said
        await leave(bob)


async def test_log_full(tmp_path, data, endpoint):
    """If the log cannot grow, only its lines are lost; later lines are there."""
    log = tmp_path / "chatd.log"
    log.write_bytes(b"a line of before\n" * (LOG_BYTES // 17))
    with Daemonized(tmp_path, "--endpoint", endpoint, "--data", data) as running:
        assert running.started.returncode == 0
        pid = int(running.pid_file.read_text())
        size = log.stat().st_size
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        for number in range(5):
            alice = await chatd.connect(reactor, endpoint, name=f"alice-{number}")
            assert (await alice.send("hello")).seq == number + 1
            await leave(alice)
        assert log.stat().st_size == size
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        alice = await chatd.connect(reactor, endpoint, name="alice-last")
        history = await alice.history("lobby")
        assert [message.seq for message in history.messages] == [1, 2, 3, 4, 5]
        await leave(alice)
        running.terminate()
        running.wait()
        assert "alice-last: established" in running.log
        assert not pathlib.Path(f"{tmp_path}/chat.sock").exists()


async def test_log_on_a_full_disk(tmp_path, endpoint):
    """A full disk costs only lines of the log; it can be reopened, and goes on with space."""
    there = tmp_path / "logs"
    there.mkdir()
    disk = FullDisk(tmp_path, there)
    options = ("--endpoint", endpoint, "--data", tmp_path / "data")
    program = (f"--logfile={there}/chatd.log",)
    with Daemonized(tmp_path, *options, program=program, before=disk.before) as running:
        assert running.started.returncode == 0, running.started.stderr
        running.log_file = disk.directory / "chatd.log"
        disk.fill()
        said = []
        for number in range(40):  # more lines than a page of the disk has space for
            alice = await chatd.connect(reactor, endpoint, name=f"alice-{number}")
            said.append(await alice.send("hello"))
            await leave(alice)
        assert "alice-39: established" not in running.log
        running.log_file.rename(disk.directory / "chatd.log.old")
        os.kill(int(running.pid_file.read_text()), signal.SIGHUP)
        await leave(await chatd.connect(reactor, endpoint))
        assert running.log_file.exists()
        disk.free()
        bob = await chatd.connect(reactor, endpoint, name="bob")
        history = await bob.history("lobby")
        assert history.messages == said
        assert "bob: established" in running.log
        await leave(bob)
        running.terminate()
        running.wait()


def test_full_at_the_start(data, endpoint):
    """A daemon that cannot make its database ends with one line, and can start later."""
    shell = 'ulimit -f 8; exec "$0" "$@"'
    program = ("sh", "-c", shell, script("twistd"), "-n", "--pidfile=")
    completed = run_command(*program, "chatd", "--endpoint", endpoint, "--data", data)
    assert completed.returncode == 1
    assert re.search(f"cannot use {data}/chatd.db: .*(I/O error|full)", complaint_of(completed))
    with daemon("--data", data, endpoint=endpoint):
        sent = run_command("chatd", "connect", endpoint, input="hello\n")
        assert sent.returncode == 0


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "used"])
def test_read_only(data, endpoint, is_new):
    """A directory on a read-only disk gives an error of one line, and stays unchanged."""
    if not is_new:
        with daemon("--data", data, endpoint=endpoint) as process:
            assert run_command("chatd", "connect", endpoint, input="hello\n").returncode == 0
            process.send_signal(signal.SIGTERM)
            process.wait()
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"'
    program = mounting(mount, data, script("twistd"), "-n", "--pidfile=")
    before = files_of(data)
    completed = run_command(*program, "chatd", "--endpoint", endpoint, "--data", data)
    assert completed.returncode == 1
    assert complaint_of(completed).endswith(f"chatd: cannot use {data}: Read-only file system")
    assert files_of(data) == before


def files_of(directory):
    """Return the contents of the files in a directory."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Return the contents of a killed daemon's directory, and its confirmed messages."""
    directory = tmp_path_factory.mktemp("killed")
    data, endpoint = directory / "data", f"unix:{directory}/chat.sock"
    lines = [f"line {number} {'.' * 500}" for number in range(100)]
    with daemon("--data", data, endpoint=endpoint) as process:
        sent = run_command("chatd", "connect", endpoint, input="\n".join(lines) + "\n")
        assert sent.returncode == 0
        process.send_signal(signal.SIGKILL)
        process.wait()
    return data, lines


async def test_damaged_index(killed, tmp_path, endpoint):
    """A damaged index of the write-ahead log, and garbage at its end, cost no message."""
    data, lines = killed
    shutil.copytree(data, tmp_path / "data")
    (tmp_path / "data" / "chatd.db-shm").write_bytes(b"garbage" * 1000)
    with (tmp_path / "data" / "chatd.db-wal").open("ab") as file:
        file.write(b"garbage" * 10_000)
    with daemon("--data", tmp_path / "data", endpoint=endpoint):
        alice = await chatd.connect(reactor, endpoint, name="alice")
        history = await alice.history("lobby", limit=500)
        assert [message.text for message in history.messages] == lines
        assert (await alice.send("on")).seq == len(lines) + 1
        await leave(alice)


async def test_damaged_page(killed, tmp_path, endpoint):
    """If a page of the database is damaged, its readers get errors; all others go on."""
    data, lines = killed
    shutil.copytree(data, tmp_path / "data")
    path = tmp_path / "data" / "chatd.db"
    with daemon("--data", path.parent, endpoint=endpoint) as process:
        await leave(await chatd.connect(reactor, endpoint))
        process.send_signal(signal.SIGTERM)  # a clean end empties the write-ahead log
        process.wait()
    content = bytearray(path.read_bytes())
    place = content.index(b"line 40 ")
    start = place - place % PAGE
    content[start : start + PAGE] = b"\xa5" * PAGE
    path.write_bytes(content)
    with daemon("--data", path.parent, endpoint=endpoint) as process:
        alice = await chatd.connect(reactor, endpoint, name="alice")
        with pytest.raises(RequestError) as caught:
            await alice.history("lobby", limit=500)
        assert caught.value.code == "not-stored"
        receipt = await alice.send("on")
        assert receipt.seq == len(lines) + 1
        history = await alice.history("lobby", limit=3)
        assert [message.text for message in history.messages] == [*lines[-2:], "on"]
        await leave(alice)
        process.send_signal(signal.SIGTERM)
        process.wait()
        written = process.output.text + process.errors.text
        assert "Traceback" not in written
        assert "malformed" in written
