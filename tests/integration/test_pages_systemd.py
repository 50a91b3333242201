"""The pages with units of systemd: systemd takes them, and their commands run a daemon."""

import re
import shlex
import signal
import subprocess
from pathlib import Path

from twisted.internet import reactor

import chatd
from tests.docs.pages import block, blocks, page
from tests.integration.daemons import stop
from tests.integration.onpage import (
    ENVIRONMENT,
    SCRIPTS,
    command_of,
    read_unit,
    unit_words,
    with_known_words,
    with_words,
)
from tests.integration.processes import Process
from tests.integration.sessions import leave
from tests.integration.tools import tool, tool_of_root

PAGE = "docs/how-to/systemd.md"
BACKUP = "docs/how-to/backup.md"
SERVICE = block(PAGE, "Description=chatd, a chat and message daemon")
TCP_SOCKET = block(PAGE, "Description=chatd on TCP")
LOCAL_SOCKET = block(PAGE, "Description=chatd for users of this machine")
ACTIVATED = {
    "[Unit]\n": "[Unit]\n" + block(PAGE, "Requires="),
    "[Service]\n": "[Service]\n" + block(PAGE, "Sockets=chatd-tcp.socket chatd-local.socket"),
    "RuntimeDirectory=chatd\n": "",
    SERVICE[SERVICE.index("ExecStart=") : SERVICE.index("ExecReload=")]: block(
        PAGE,
        "ExecStart=/opt/chatd/bin/twistd --nodaemon --pidfile= chatd \\\n    --key-file /etc/"
        "chatd/team.key --data /var/lib/chatd \\\n    --endpoint systemd:",
    ),
}
CLEAN_ENDS = {
    0,
    *(-each for each in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)),
}
"""The ends after which `Restart=on-failure` does nothing: systemd.service(5), on `Restart=`."""
INETD = block("docs/how-to/ssh.md", "StandardInput=socket")


def verify(directory, units):
    """Have systemd check units, and refuse any complaint."""
    paths = []
    for name, text in units.items():
        paths.append(directory / name)
        paths[-1].write_text(with_known_words(text, {"/opt/chatd/bin": SCRIPTS}))
    done = subprocess.run(
        [tool("systemd-analyze"), "verify", *paths], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_service(tmp_path):
    """Systemd takes the service, without a complaint."""
    verify(tmp_path, {"chatd.service": SERVICE})


def test_backup(tmp_path):
    """Systemd takes the units of the page on backups, which run the command of the page."""
    units = {
        "chatd-backup.service": block(BACKUP, "Description=Back up chatd\n"),
        "chatd-backup.timer": block(BACKUP, "OnCalendar="),
    }
    verify(tmp_path, units)
    command = read_unit(units["chatd-backup.service"])["Service"]["ExecStart"]
    assert ("sh", command.removeprefix("/opt/chatd/bin/") + "\n") in blocks(page(BACKUP))


def test_sockets(tmp_path):
    """Systemd takes the sockets and the service that the page changes for them."""
    units = {
        "chatd.service": with_words(SERVICE, ACTIVATED),
        "chatd-tcp.socket": TCP_SOCKET,
        "chatd-local.socket": LOCAL_SOCKET,
    }
    verify(tmp_path, units)
    endpoints = command_of(read_unit(units["chatd.service"]))
    for text, domain in ((TCP_SOCKET, "INET6"), (LOCAL_SOCKET, "UNIX")):
        socket = read_unit(text)["Socket"]
        name = socket["FileDescriptorName"]
        assert f"systemd:domain={domain}:name={name}" in endpoints
        assert socket["Service"] == "chatd.service"


def test_inetd(tmp_path):
    """Systemd takes the service of the page on ssh."""
    verify(tmp_path, {"chatd@.service": INETD})


async def test_command(tmp_path):
    """The service's command serves, reads its files at `systemctl reload`, and stops."""
    key = chatd.write_key_file(tmp_path / "team.key")
    unit = read_unit(with_words(SERVICE, unit_words(tmp_path)))
    with Process(*command_of(unit), cwd=tmp_path) as process:
        port = int(process.output.wait_for(r"starting on (\d+)")[1])
        client = await chatd.connect(reactor, f"tcp:127.0.0.1:{port}", key=key)
        assert (await client.send("hello")).text == "hello"
        await leave(client)
        assert command_of(unit, "ExecReload") == ["/bin/kill", "-HUP", "$MAINPID"]
        process.send_signal(signal.SIGHUP)
        process.output.wait_for("key file: read again")
        assert not (tmp_path / "twistd.pid").exists()
        stop(process)


async def test_restart(tmp_path):
    """Systemd counts a kill as a failure and a stop as none; an old socket prevents no start."""
    unit = read_unit(with_words(SERVICE, unit_words(tmp_path)))
    assert unit["Service"]["Restart"] == "on-failure"
    key = chatd.write_key_file(tmp_path / "team.key")
    endpoint = f"unix:{tmp_path}/chat.sock"
    for number, is_failure in ((signal.SIGKILL, True), (signal.SIGTERM, False)):
        with Process(*command_of(unit), cwd=tmp_path) as process:
            process.output.wait_for(f"listening on {endpoint}")
            await leave(await chatd.connect(reactor, endpoint, key=key))
            process.send_signal(number)
            assert (process.wait() not in CLEAN_ENDS) == is_failure
        assert (tmp_path / "chat.sock").exists() == is_failure


def test_failed_start(tmp_path):
    """A daemon that cannot start ends with a status that systemd counts as a failure."""
    unit = read_unit(with_words(SERVICE, unit_words(tmp_path)))
    with Process(*command_of(unit), cwd=tmp_path) as process:
        assert process.wait() not in CLEAN_ENDS


async def test_tried_sockets(tmp_path):
    """The command that tries the sockets without a unit starts a daemon at the first connection."""
    tool("systemd-socket-activate")
    text = block(PAGE, "systemd-socket-activate -l 9999")
    there = f"{tmp_path}/chat.sock"
    # A second UNIX socket stands for the port: systemd cannot listen on a free port.
    words = {"-l 9999": f"-l {tmp_path}/tcp.sock", "/tmp/chat.sock": there, "INET6": "UNIX"}
    with Process("bash", "-c", f"exec {with_words(text, words)}", env=ENVIRONMENT) as process:
        process.errors.wait_for(r"Listening on .*chat\.sock as 4")
        client = await chatd.connect(reactor, f"unix:{there}", name="alice")
        other = await chatd.connect(reactor, f"unix:{tmp_path}/tcp.sock", name="bob")
        assert (await client.send("hello")).text == "hello"
        await leave(client, other)
        stop(process)


async def test_tried_inetd(tmp_path):
    """The command that tries inetd's way starts a daemon for each connection."""
    tool("systemd-socket-activate")
    text = block("docs/how-to/ssh.md", "systemd-socket-activate --accept")
    there = f"{tmp_path}/chat.sock"
    command = shlex.split(with_words(text, {"/tmp/chat.sock": there}).replace("\\\n", " "))
    with Process(*command, env=ENVIRONMENT, cwd=tmp_path) as process:
        process.errors.wait_for(r"Listening on .*chat\.sock")
        for _ in range(2):
            client = await chatd.connect(reactor, f"unix:{there}", name="alice")
            assert (await client.send("hello")).seq == 1  # each daemon has rooms of its own
            await leave(client)
        process.send_signal(signal.SIGTERM)
        process.wait()


def test_installing(tmp_path):
    """The commands that install make a user and a key file that this user owns."""
    useradd = tool_of_root("useradd")
    environment, *rest = block(PAGE, "python3 -m venv /opt/chatd").splitlines()
    assert environment == "python3 -m venv /opt/chatd && /opt/chatd/bin/pip install ."
    (tmp_path / "etc").mkdir()
    words = {
        "useradd ": f"{useradd} --prefix {tmp_path} ",
        "/etc/chatd": f"{tmp_path}/etc/chatd",
        "/opt/chatd/bin": SCRIPTS,
        "chown chatd ": "chown $(id -u) ",
    }
    text = with_words("\n".join(rest), words)
    done = subprocess.run(["bash", "-ec", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "chatd" in (tmp_path / "etc/passwd").read_text()
    chatd.load_key(tmp_path / "etc/chatd/team.key")


def test_removing(tmp_path):
    """The commands that remove chatd leave none of its files, and no user."""
    useradd, userdel = tool_of_root("useradd"), tool_of_root("userdel")
    (tmp_path / "etc").mkdir()
    subprocess.run([useradd, "--prefix", tmp_path, "--system", "chatd"], check=True)
    directories = re.findall(
        r"(?:venv|install -d) (\S+)", block(PAGE, "python3 -m venv /opt/chatd")
    )
    assert len(directories) == 2
    directories.append(f"/var/lib/{read_unit(SERVICE)['Service']['StateDirectory']}")
    (unit,) = re.findall(r"^`(/\S+)`:$", page(PAGE), re.MULTILINE)
    made = [Path(f"{tmp_path}{name}") for name in (*directories, unit)]
    for path in made[:-1]:
        path.mkdir(parents=True)
        (path / "file").touch()
    made[-1].parent.mkdir(parents=True)
    made[-1].touch()
    words = {
        " /": f" {tmp_path}/",
        "systemctl ": ": ",
        "userdel ": f"{userdel} --prefix {tmp_path} ",
    }
    text = with_words(block(PAGE, "userdel chatd"), words)
    done = subprocess.run(["bash", "-ec", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [path for path in made if path.exists()] == []
    assert "chatd" not in (tmp_path / "etc/passwd").read_text()
