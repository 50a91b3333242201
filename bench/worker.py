"""Workers: parts of the load, each in its own process, so that none waits for another.

A worker is a module of `bench` that `python -m` runs. It reads a task from standard input and
writes an answer to standard output, both as JSON.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

__all__ = ["ConnectTask", "answer_of", "do_task", "started"]

_ROOT = Path(__file__).resolve().parent.parent

T = TypeVar("T", bound=msgspec.Struct)


class ConnectTask(msgspec.Struct, frozen=True, kw_only=True):
    """The task of a worker that makes connections.

    Attributes:
        host: The server's host.
        port: The server's port.
        key: The shared key, if there is one.
        count: The number of connections to make.
    """

    host: str
    port: int
    key: bytes | None
    count: int


@contextmanager
def started(module: str, task: msgspec.Struct) -> Iterator[subprocess.Popen[bytes]]:
    """Start a worker on a task; at the end, kill it if it still runs."""
    with subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # the worker failed at once: `answer_of` reports it
            process.stdin.write(msgspec.json.encode(task))
            process.stdin.close()
        try:
            yield process
        finally:
            process.kill()


def answer_of(process: subprocess.Popen[bytes], answer_type: type[T]) -> T:
    """Wait until a worker has done its task, and return its answer.

    Raises:
        RuntimeError: The worker failed.
    """
    assert process.stdout is not None
    answer = process.stdout.read()
    if process.wait() != 0:
        raise RuntimeError("a worker failed; the reason is above")
    return msgspec.json.decode(answer, type=answer_type)


def do_task(task_type: type[T], do: Callable[[T], msgspec.Struct]) -> None:
    """Do the task on standard input, and write the answer to standard output."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=task_type)
    sys.stdout.buffer.write(msgspec.json.encode(do(task)))
