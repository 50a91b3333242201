"""The peers: their configuration, their start, and missing peers."""

import base64
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from twisted.trial.unittest import SynchronousTestCase

from bench import peers
from bench.peers import PEERS, Server, missing_peers, version_in
from chatd.config.keyfile import load_key
from chatd.daemon.tap import Options
from chatd.wire.sealer import IS_BUILT

DAEMONS = {
    "nats": "nats-server",
    "chatd-redis": "redis-server",
    "chatd-redis-two": "redis-server",
    "redis": "redis-server",
    "inspircd": "inspircd",
    "ngircd": "ngircd",
    "mosquitto": "mosquitto",
}


class PeersTestCase(SynchronousTestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.work = Path(directory.name)
        self.asked = []

    def install(self, *programs):
        """Make only these programs available."""

        def which(program, path=None):
            self.asked.append(program)
            return f"/opt/{program}" if program in programs else None

        self.patch(shutil, "which", which)

    def prepared(self, name):
        """Return the launch of a peer, with all programs installed."""
        self.install(*DAEMONS.values())
        return PEERS[name].prepare(self.work, 4000)

    def text(self, name):
        """Return the content of a written file."""
        return (self.work / name).read_text()


class InstalledTests(PeersTestCase):
    def test_asks_which(self):
        """A peer is installed if its program is found."""
        self.install("redis-server")
        self.assertTrue(PEERS["redis"].is_installed())
        self.assertFalse(PEERS["nats"].is_installed())
        self.assertEqual(set(self.asked), {"redis-server", "nats-server"})

    def test_python_is_always_there(self):
        """A peer in Python needs no program."""
        self.install()
        for name in ("chatd", "chatd-pure", "chatd-clear", "chatd-sqlite", "floor"):
            self.assertTrue(PEERS[name].is_installed(), name)

    def test_missing_peers_are_named(self):
        """The missing peers are returned, in the given order."""
        self.install("nats-server", "ngircd")
        missing = ["chatd-redis", "chatd-redis-two", "redis", "inspircd", "mosquitto"]
        self.assertEqual(missing_peers(PEERS), missing)
        self.assertEqual(missing_peers(["floor", "nats"]), [])

    def test_start_of_a_missing_peer(self):
        """Starting a peer that is not installed fails with that reason."""
        self.install()
        for name, program in DAEMONS.items():
            with pytest.raises(FileNotFoundError, match=program):
                PEERS[name].start(self.work)

    def test_programs(self):
        """The bench finds each daemon by its own name."""
        programs = {peer.name: peer.program for peer in PEERS.values() if peer.program}
        self.assertEqual(programs, DAEMONS)


class VersionTests(PeersTestCase):
    def test_version_in(self):
        """The version is the first number of a program's output."""
        printed = {
            "nats-server": ("nats-server: v2.9.10\n", "nats-server 2.9.10"),
            "redis-server": ("Redis server v=7.0.15 sha=00000000:0\n", "redis-server 7.0.15"),
            "inspircd": ("InspIRCd-3.15.0-debian\n", "inspircd 3.15.0"),
            "ngircd": ("ngIRCd 26.1-IDENT+IPv6\nCopyright 2001\n", "ngircd 26.1"),
            "mosquitto": ("mosquitto version 2.0.11\n", "mosquitto 2.0.11"),
            "silent": ("", "silent"),
        }
        for program, (text, expected) in printed.items():
            self.assertEqual(version_in(program, text), expected)

    def test_python(self):
        """The version of a peer in Python is its package's; chatd's says how it was built."""
        built = "with" if IS_BUILT else "without"
        self.assertRegex(PEERS["chatd"].version(), rf"^chatd \d[\d.]* {built} its C module$")
        self.assertRegex(PEERS["floor"].version(), r"^Twisted \d")


class ChatdTests(PeersTestCase):
    def options(self, name):
        """Return chatd's parsed options, and its launch."""
        launch = self.prepared(name)
        options = Options()
        options.parseOptions(launch.command[launch.command.index("chatd") + 1 :])
        return options, launch

    def test_key(self):
        """The clients' key is the key in the key file."""
        options, launch = self.options("chatd")
        self.assertEqual(load_key(options["key-file"]), launch.key)
        self.assertNotIn(base64.urlsafe_b64encode(launch.key).decode(), " ".join(launch.command))
        self.assertIsNone(options["data"])

    def test_clear(self):
        """Without a key there is no key file."""
        options, launch = self.options("chatd-clear")
        self.assertIsNone(launch.key)
        self.assertIsNone(options["key-file"])
        self.assertEqual(list(self.work.iterdir()), [])

    def test_web(self):
        """The clients of WebSockets connect to the front, at the port of the bench."""
        options, launch = self.options("chatd-web")
        self.assertRegex(options["web"][0], r"^tcp:\d+:backlog=1024:interface=127\.0\.0\.1$")
        self.assertNotEqual(options["web"], options["endpoints"])
        self.assertEqual(load_key(options["key-file"]), launch.key)

    def test_sqlite(self):
        """The bench stores messages in the directory of the run."""
        options, _ = self.options("chatd-sqlite")
        self.assertEqual(options["data"], str(self.work / "data"))
        self.assertEqual(options["durability"], "normal")

    def test_pure(self):
        """Without the C module and `isal`, chatd runs, and uses neither."""
        _, launch = self.options("chatd-pure")
        program = launch.command[launch.command.index("-c") + 1]
        hidden, _, run = program.partition("from twisted")
        self.assertEqual(run.splitlines()[-1], "run()")
        asks = (
            "from chatd.wire.sealer import IS_BUILT\n"
            "from chatd.wire.checksum import crc32\n"
            "import zlib\n"
            "print(IS_BUILT, crc32 is zlib.crc32)"
        )
        told = subprocess.run(
            [sys.executable, "-c", hidden + asks], capture_output=True, text=True, check=True
        )
        self.assertEqual(told.stdout, "False True\n")

    def test_unprotected(self):
        """Protection from floods is off, unless it is measured."""
        options, _ = self.options("chatd")
        self.assertEqual((options["message-rate"], options["command-rate"]), (0, 0))
        command = peers.prepare_chatd(self.work, 4000, has_key=False, is_protected=True).command
        self.assertFalse([word for word in command if word.endswith("-rate")])

    def test_further_options(self):
        """A measure can add options."""
        more = ("--presence-limit", "0")
        launch = peers.prepare_chatd(self.work, 4000, has_key=False, options=more)
        options = Options()
        options.parseOptions(launch.command[launch.command.index("chatd") + 1 :])
        self.assertEqual(options["presence-limit"], 0)

    def test_silent(self):
        """No heartbeat occurs during a measure."""
        options, _ = self.options("chatd")
        self.assertGreaterEqual(options["heartbeat"], 3600)


class ConfigTests(PeersTestCase):
    def test_floor(self):
        """The floor is a module of this package."""
        command = [sys.executable, "-m", "bench.floor_server", "4000"]
        self.assertEqual(self.prepared("floor").command, command)

    def test_nats(self):
        """The server neither disconnects nor pings slow readers."""
        launch = self.prepared("nats")
        config = str(self.work / "nats.conf")
        command = ["/opt/nats-server", "-a", "127.0.0.1", "-p", "4000", "-c", config]
        self.assertEqual(launch.command, command)
        for option in ("max_pending: 1GB", 'write_deadline: "60s"', 'ping_interval: "1h"'):
            self.assertIn(option, self.text("nats.conf"))

    def test_redis(self):
        """The server writes nothing to disk, and disconnects no subscriber."""
        command = " ".join(self.prepared("redis").command)
        for option in (
            "--bind 127.0.0.1",
            "--port 4000",
            f"--dir {self.work}",
            "--save  --appendonly no",
            "--client-output-buffer-limit pubsub 0 0 0",
        ):
            self.assertIn(option, command)

    def test_redis_of_daemons(self):
        """The Redis of several daemons writes each change to disk before it answers."""
        for name in ("chatd-redis", "chatd-redis-two"):
            command = " ".join(self.prepared(name).command)
            self.assertIn("--appendonly yes", command)
            self.assertIn("--appendfsync always", command)

    def test_inspircd(self):
        """There is no fake lag, and all clients may come from the same address."""
        launch = self.prepared("inspircd")
        self.assertEqual(launch.command[:3], ["/opt/inspircd", "--nofork", "--config"])
        text = self.text("inspircd.conf")
        for option in ('port="4000"', 'fakelag="no"', 'localmax="100000"', 'recvq="1G"'):
            self.assertIn(option, text)
        self.assertIn(f'logdir="{self.work}"', text)

    def test_inspircd_as_root(self):
        """It gets the option to run as root only if it runs as root."""
        self.patch(os, "geteuid", lambda: 0)
        self.assertIn("--runasroot", self.prepared("inspircd").command)
        self.patch(os, "geteuid", lambda: 1000)
        self.assertNotIn("--runasroot", self.prepared("inspircd").command)

    def test_ngircd(self):
        """The server has neither penalties nor look-ups."""
        launch = self.prepared("ngircd")
        config = str(self.work / "ngircd.conf")
        self.assertEqual(launch.command, ["/opt/ngircd", "-n", "-f", config])
        text = self.text("ngircd.conf")
        for option in ("Ports = 4000", "MaxPenaltyTime = 0", "MaxConnectionsIP = 0", "DNS = no"):
            self.assertIn(option, text.splitlines())

    def test_mosquitto(self):
        """The server drops nothing, and requires no password."""
        launch = self.prepared("mosquitto")
        config = str(self.work / "mosquitto.conf")
        self.assertEqual(launch.command, ["/opt/mosquitto", "-c", config])
        text = self.text("mosquitto.conf")
        for option in (
            "listener 4000 127.0.0.1",
            "allow_anonymous true",
            "max_queued_messages 0",
            "set_tcp_nodelay true",
        ):
            self.assertIn(option, text.splitlines())


class FakeProcess:
    """A process that ends when it is terminated, or only when it is killed."""

    pid = 7

    def __init__(self, is_stubborn):
        self.is_stubborn = is_stubborn
        self.calls = []

    def terminate(self):
        self.calls.append("terminate")

    def kill(self):
        self.calls.append("kill")
        self.is_stubborn = False

    def wait(self, timeout=None):
        self.calls.append(f"wait {timeout}")
        if self.is_stubborn:
            raise subprocess.TimeoutExpired("fake", timeout)


class ServerTests(SynchronousTestCase):
    def test_context_manager(self):
        """The end of the context ends the process by its own handle."""
        process: Any = FakeProcess(is_stubborn=False)
        with Server(process, "127.0.0.1", 4000) as server:
            self.assertEqual(server.pid, 7)
            self.assertEqual(process.calls, [])
        self.assertEqual(process.calls, ["terminate", "wait 5.0"])

    def test_stubborn(self):
        """A process that does not end in time is killed."""
        process: Any = FakeProcess(is_stubborn=True)
        Server(process, "127.0.0.1", 4000).stop()
        self.assertEqual(process.calls, ["terminate", "wait 5.0", "kill", "wait None"])

    def test_key_is_not_shown(self):
        """No representation shows the key."""
        process: Any = FakeProcess(is_stubborn=False)
        server = Server(process, "127.0.0.1", 4000, b"secret")
        self.assertNotIn("secret", repr(server))
