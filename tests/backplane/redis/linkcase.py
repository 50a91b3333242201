"""The base case of tests of a link, whose server answers at once and whose clock stands still."""

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.backplane.interface import LinkState
from chatd.backplane.redis.connections import LostError
from chatd.backplane.redis.link import Link
from chatd.backplane.redis.script import load
from chatd.errors import StoreError

SCRIPT = load("privaterooms")
"""A script that stands for all that parts run."""
REPLICATION = b"role:master\r\nconnected_slaves:0\r\nmaster_replid2:" + b"0" * 40
ALWAYS = [b"appendonly", b"yes", b"appendfsync", b"always"]


class Server:
    """Answers as Redis does, as long as it is not told otherwise.

    Attributes:
        scripts: The names of the scripts that ran, with their arguments.
        silent: The scripts that are never answered.
        held: The scripts that `answer` answers.
        answers: Answers in place of the usual answers, by script or command.
    """

    def __init__(self):
        self.scripts = []
        self.silent = set()
        self.held = set()
        self.waiting = []
        self.answers = {}
        self.refusals = 0
        self.dialled = 0
        self.connections = []
        self.hears_probes = True

    async def dial(self, make):
        self.dialled += 1
        if self.refusals:
            self.refusals -= 1
            raise StoreError("connection refused")
        connection = Connection(self)
        self.connections.append(connection)
        return connection

    def answer(self, answer=1):
        """Answer all calls of held scripts so far."""
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            if isinstance(answer, Exception):
                each.errback(answer)
            else:
                each.callback(answer)

    def names(self):
        """Return the names of the scripts that ran."""
        return [name for name, *_ in self.scripts]


class Connection:
    """Stands for both connections of a link."""

    def __init__(self, server):
        self.server = server
        self.on_lost = self.on_push = lambda *arguments: None
        self.is_lost = False

    def execute_command(self, command, *arguments):
        server = self.server
        if self.is_lost:
            raise LostError("Not connected")
        name = f"{command} {arguments[0]}"
        usual = {
            "INFO server": b"run_id:abc\r\nredis_version:7.0.0",
            "INFO replication": REPLICATION,
            "CONFIG GET": ALWAYS,
            "generation": b"g",
            "attach": [0, [], 1],
            "renew": [],
            "rights": [[], b""],
        }
        if command == "EVALSHA":
            name = next(
                name
                for name in ("rights", "generation", "attach", "renew", "leave", "privaterooms")
                if load(name).sha == arguments[0]
            )
            server.scripts.append((name, *arguments))
        if name == "renew" and server.hears_probes:
            server.connections[-1].on_push(b"own", b"")
        if name in server.held:
            server.waiting.append(Deferred())
            return server.waiting[-1]
        if name in server.silent:
            return Deferred()
        answer = server.answers.get(name, usual.get(name, 1))
        return fail(answer) if isinstance(answer, Exception) else succeed(answer)

    def subscribe(self, channels):
        return succeed(None) if list(channels) else fail(LostError("nothing to hear"))

    def unsubscribe(self, channels):
        pass

    def abort(self):
        self.is_lost = True
        return succeed(None)


class LinkCase(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.server = Server()
        self.states: list[LinkState] = []
        self.link = Link(self.clock, self.server.dial)
        self.link.linked = self.states.append

    def call(self, *args):
        return Deferred.fromCoroutine(self.link.call(SCRIPT, (), args))

    def close(self):
        self.successResultOf(Deferred.fromCoroutine(self.link.close()))
        self.assertEqual(self.clock.getDelayedCalls(), [])
