"""Calling what a developer overrode: it may be plain or `async`, and it may fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, copy_context
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

__all__ = ["FAILED", "Hook", "call_hook", "start", "wait"]

FAILED = "the server failed; see its log"
"""What a client is told of a failure that was not raised on purpose."""

T = TypeVar("T")
Hook = Callable[..., "Awaitable[None] | Deferred[None] | None"]


def call_hook(
    failed: Callable[[Failure, T], None], about: T, hook: Hook, *args: object
) -> Deferred[None] | None:
    """Call a hook, plain or `async`.

    Args:
        failed: Called with the failure and `about`, where it fails; it must not fail itself.
        about: What the call is about.
        hook: What to call.
        args: What to call it with.

    Returns:
        A Deferred that fires with None when the hook is done, or None where it is done already.
    """
    try:
        result = hook(*args)
        if result is None:
            return None
        deferred = result if isinstance(result, Deferred) else start(result)
    except Exception:
        failed(Failure(), about)
        return None
    if deferred is None:
        return None
    deferred.addErrback(failed, about)
    return None if deferred.called and not deferred.paused else deferred


def start(awaitable: Awaitable[None]) -> Deferred[None] | None:
    """Run something as far as it goes without waiting.

    What most turns start has nothing to wait for, and a Deferred would cost more than its work.

    Returns:
        A Deferred that fires with None when it is done, or None where it is done already.

    Raises:
        Exception: What it raised before it had to wait.
    """
    coroutine, context = wait(awaitable), copy_context()
    try:
        awaited = context.run(coroutine.send, None)
    except StopIteration:
        return None
    return Deferred.fromCoroutine(_go_on(coroutine, awaited, context))


def _go_on(
    coroutine: Coroutine[Any, Any, None], awaited: object, context: Context
) -> Generator[Any, Any, None]:
    """Run the rest of a coroutine that waits for something already, in its own context."""
    while True:
        failure: BaseException | None = None
        result = None
        try:
            result = yield awaited
        except BaseException as error:
            failure = error  # thrown below, where it is not being handled any more
        try:
            if failure is None:
                awaited = context.run(coroutine.send, result)
            else:
                awaited = context.run(coroutine.throw, failure)
        except StopIteration:
            return


async def wait(awaitable: Awaitable[None]) -> None:
    """Wait for anything that can be awaited; what cannot be is a hook that failed."""
    await awaitable
