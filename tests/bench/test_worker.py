"""Workers: each gets its task, and returns its answer."""

import io
import sys

import msgspec
import pytest
from twisted.trial.unittest import SynchronousTestCase

from bench.logins import Logins
from bench.probe import Summary
from bench.worker import ConnectTask, answer_of, do_task, started


class Piped:
    """A standard stream of bytes."""

    def __init__(self, data=b""):
        self.buffer = io.BytesIO(data)


class TaskTests(SynchronousTestCase):
    def test_done(self):
        """The task is read, done and answered."""
        task = ConnectTask(host="there", port=7, key=b"\x00\xff", count=3)
        told = []

        def do(task):
            told.append(task)
            return Logins(greeted_s=1.0, welcomed_s=2.0, refused=3, cpu_s=0.5)

        out = Piped()
        self.patch(sys, "stdin", Piped(msgspec.json.encode(task)))
        self.patch(sys, "stdout", out)
        do_task(ConnectTask, do)
        self.assertEqual(told, [task])
        answer = msgspec.json.decode(out.buffer.getvalue(), type=Logins)
        self.assertEqual((answer.welcomed_s, answer.refused), (2.0, 3))


class StartedTests(SynchronousTestCase):
    def test_answer(self):
        """A started module answers; zero logins end at once."""
        task = ConnectTask(host="127.0.0.1", port=1, key=None, count=0)
        with started("bench.logins", task) as process:
            answer = answer_of(process, Logins)
        self.assertEqual((answer.welcomed_s, answer.refused), (0.0, 0))

    def test_failure(self):
        """The worker reports a module that fails, and leaves no process."""
        task = ConnectTask(host="127.0.0.1", port=1, key=None, count=0)
        failed = pytest.raises(RuntimeError, match="a worker failed")
        with failed, started("bench.no_such_module", task) as process:
            answer_of(process, Summary)
        self.assertIsNotNone(process.poll())

    def test_killed(self):
        """A module without a waiter is killed."""
        task = ConnectTask(host="127.0.0.1", port=1, key=None, count=0)
        with pytest.raises(ValueError, match="some"), started("bench.probe", task) as process:
            raise ValueError("some")
        self.assertIsNotNone(process.poll())
