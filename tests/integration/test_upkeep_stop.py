"""A daemon that gets a signal to stop takes no new clients, says goodbye, and ends in time."""

import re
import signal
import socket
from contextlib import suppress

import pytest
from twisted.internet import reactor

import chatd
from chatd import SessionEnded
from tests.integration.daemons import tcp_port
from tests.integration.peer import Peer, Type
from tests.integration.processes import FOREGROUND, daemon

FOR_EVER = ("--grace", "3600")
PATIENT = (
    "python",
    "-c",
    "import chatd.transport.closing\n"
    "chatd.transport.closing.CLOSE_TIMEOUT_S = 3600.0\n"
    "from twisted.scripts.twistd import run; run()",
    *FOREGROUND[1:],
)
"""A daemon that gives each connection as long to close as it has itself to stop."""
STOPS = [signal.SIGTERM, signal.SIGINT]
PROGRAMS = [FOREGROUND, ("twist", "--log-format=text")]
MUCH = b"x" * 1024 * 1024


@pytest.fixture
def peers(tmp_path):
    """Return a function that connects a peer which sends and reads only when told to."""
    connected = []

    def connect(name):
        peer = Peer(f"{tmp_path}/chat.sock")
        connected.append(peer)
        peer.establish(name)
        return peer

    yield connect
    for peer in connected:
        peer.close()


def check_end(process, number):
    """Check that a process ends by a signal, without a failure in its output."""
    assert process.wait() == -number
    log = process.output.wait_for_end() + process.errors.wait_for_end()
    assert "Traceback" not in log
    assert "Unhandled" not in log


def refused(path, port):
    """Return which of two sockets is no longer listened on."""
    codes = []
    for family, address in ((socket.AF_UNIX, path), (socket.AF_INET, ("127.0.0.1", port))):
        with socket.socket(family) as one:
            codes.append(one.connect_ex(address) != 0)
    return codes


@pytest.mark.parametrize("program", PROGRAMS, ids=["twistd", "twist"])
def test_nobody_new(endpoint, tmp_path, peers, program):
    """During the wait for a client, the daemon accepts no new client, on any endpoint."""
    path, tcp = f"{tmp_path}/chat.sock", "tcp:0:interface=127.0.0.1"
    options = ("--endpoint", tcp, *FOR_EVER)
    with daemon(*options, endpoint=endpoint, program=program) as process:
        port = tcp_port(process)
        process.output.wait_for(re.escape(f"listening on {tcp}"))
        stubborn = peers("stubborn")
        assert refused(path, port) == [False, False]
        process.send_signal(signal.SIGTERM)
        told = stubborn.expect(Type.DISCONNECT).header
        assert (told["code"], told["retry"]) == ("shutting-down", True)
        assert refused(path, port) == [True, True]
        stubborn.close()
        check_end(process, signal.SIGTERM)


def stall(peers, name="stalled"):
    """Connect a peer that reads nothing; more bytes wait than the system's buffers hold."""
    stalled = peers(name)
    speaker = peers("speaker")
    for number in range(4):
        speaker.say(str(number), MUCH)
    return stalled, speaker


@pytest.mark.parametrize("grace", ["0", "0.5"])
def test_who_does_not_read(endpoint, peers, grace):
    """After the grace time, the daemon does not wait for such a peer."""
    with daemon("--grace", grace, endpoint=endpoint, program=PATIENT) as process:
        stalled, _ = stall(peers)
        process.send_signal(signal.SIGTERM)
        check_end(process, signal.SIGTERM)
        assert stalled.receive().type == Type.EVENT  # the speaker's join: its first frame read


@pytest.mark.parametrize("first", STOPS)
@pytest.mark.parametrize("second", STOPS)
def test_in_a_hurry(endpoint, peers, first, second):
    """After a second signal, of any kind, the daemon waits for no peer."""
    with daemon(*FOR_EVER, endpoint=endpoint, program=PATIENT) as process:
        _, speaker = stall(peers)
        process.send_signal(first)
        assert speaker.expect(Type.DISCONNECT).header["code"] == "shutting-down"
        process.send_signal(second)
        check_end(process, first)


def test_often(endpoint, peers):
    """With any number of signals, the daemon ends once."""
    with daemon(*FOR_EVER, endpoint=endpoint, program=PATIENT) as process:
        stubborn = peers("stubborn")
        process.send_signal(signal.SIGTERM)
        stubborn.expect(Type.DISCONNECT)
        for _ in range(20):
            process.send_signal(signal.SIGTERM)
        check_end(process, signal.SIGTERM)


def test_hang_up_meanwhile(endpoint, tmp_path, peers):
    """SIGHUP during the stop does not end it early: the daemon reads files, and still waits."""
    operators = tmp_path / "operators"
    operators.write_text("alice\n")
    with daemon(*FOR_EVER, "--operator-file", operators, endpoint=endpoint) as process:
        stubborn = peers("stubborn")
        process.send_signal(signal.SIGTERM)
        stubborn.expect(Type.DISCONNECT)
        process.send_signal(signal.SIGHUP)
        process.output.wait_for("operators: read again")
        stubborn.close()
        check_end(process, signal.SIGTERM)


@pytest.mark.parametrize("kept", [False, True], ids=["memory", "data"])
async def test_last_words(endpoint, tmp_path, kept):
    """The daemon answers messages from before the stop, and stores answered messages."""
    options = ("--data", tmp_path / "data") if kept else ()
    with daemon(*options, endpoint=endpoint) as process:
        alice = await chatd.connect(reactor, endpoint, name="alice")
        sent = [alice.send(str(number)) for number in range(200)]
        receipts = [await sent[0]]
        process.send_signal(signal.SIGTERM)
        end = await alice.when_ended()
        assert (end.code, end.retry) == ("shutting-down", True)
        for each in sent[1:]:
            with suppress(SessionEnded):
                receipts.append(await each)
        assert [each.seq for each in receipts] == list(range(1, len(receipts) + 1))
        check_end(process, signal.SIGTERM)
    if kept:
        with daemon(*options, endpoint=endpoint):
            bob = await chatd.connect(reactor, endpoint, name="bob")
            history = await bob.history("lobby", limit=500)
            assert history.messages[: len(receipts)] == receipts
            await bob.disconnect()


def test_without_anybody(endpoint, tmp_path, peers):
    """Without clients it ends at once, and leaves no socket."""
    with daemon(*FOR_EVER, endpoint=endpoint, program=PATIENT) as process:
        gone = peers("gone")
        gone.send(Type.DISCONNECT, {})
        assert gone.rest() == []
        gone.close()
        process.send_signal(signal.SIGTERM)
        check_end(process, signal.SIGTERM)
    assert list(tmp_path.iterdir()) == []


def test_no_time_at_all(endpoint, tmp_path, peers):
    """A daemon without grace time still closes its store, and logs no failure."""
    with daemon("--grace", "0", "--data", tmp_path / "data", endpoint=endpoint) as process:
        peers("stubborn")
        process.send_signal(signal.SIGTERM)
        check_end(process, signal.SIGTERM)
    assert "#error]" not in process.output.text
    assert not (tmp_path / "data" / "chatd.db-wal").exists()
