"""`chatd connect`: with the asyncio reactor at a terminal, and the usual reactor elsewhere."""

from __future__ import annotations

import argparse
import os
import stat
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from chatd.cli.colours import ink_for
from chatd.cli.destination import Destination, find_destination
from chatd.cli.leaving import run_reactor
from chatd.cli.status import Status
from chatd.cli.streams import complain
from chatd.errors import ConfigurationError
from chatd.transport.clock import go_by_monotonic_time

if TYPE_CHECKING:
    from chatd.cli.batch import Batch

__all__ = ["connect"]


def connect(options: argparse.Namespace) -> Status:
    """Run `chatd connect`: a conversation at a terminal, or a batch without one.

    Raises:
        ConfigurationError: An option, a profile or a file is wrong.
    """
    if options.follow and options.quiet:
        options.parser.error("argument --quiet: not allowed with argument --follow")
    destination = find_destination(options, os.environ)
    is_batch = options.file is not None or options.follow or options.json or options.quiet
    if not is_batch and os.isatty(0) and os.isatty(1):
        return _converse(destination.remembering(os.environ, complain))
    if options.follow:
        return _run_batch(options, destination, lambda batch: batch.follow())
    source = _open_source(options.file)
    try:
        return _run_batch(
            options, destination, lambda batch: batch.run(source, options.file or "standard input")
        )
    finally:
        os.close(source)


def _converse(destination: Destination) -> Status:
    from twisted.internet import asyncioreactor  # noqa: PLC0415  (before any reactor)

    asyncioreactor.install()
    from twisted.internet import reactor  # noqa: PLC0415  (where the program starts)

    from chatd.cli.terminal import Terminal  # noqa: PLC0415  (needs that reactor)

    go_by_monotonic_time(reactor)
    destination.check(reactor)
    endpoint = destination.endpoint
    conversation = Terminal(reactor, endpoint, destination.login, destination.ignored)
    return run_reactor(reactor, conversation.run, endpoint)


def _run_batch(
    options: argparse.Namespace,
    destination: Destination,
    work: Callable[[Batch], Awaitable[Status]],
) -> Status:
    from twisted.internet import reactor  # noqa: PLC0415  (where the program starts)

    from chatd.cli.batch import Batch, Output  # noqa: PLC0415  (imports the reactor's stdio)

    go_by_monotonic_time(reactor)
    destination.check(reactor)
    output = Output.JSON if options.json else Output.NOTHING if options.quiet else Output.TEXT
    batch = Batch(
        reactor,
        destination.endpoint,
        destination.login,
        complain,
        output=output,
        ink=ink_for(os.environ, is_terminal=os.isatty(1)),
        reconnects=options.reconnect,
    )
    return run_reactor(reactor, lambda: work(batch), destination.endpoint)


def _open_source(path: str | None) -> int:
    """Return a descriptor to read lines from."""
    if path is None:
        return os.dup(0)
    try:
        source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(f"cannot read {path}: {why}") from error
    if stat.S_ISDIR(os.fstat(source).st_mode):
        os.close(source)
        raise ConfigurationError(f"cannot read {path}: it is a directory")
    return source
