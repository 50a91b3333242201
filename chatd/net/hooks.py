"""Calling what a developer overrode: it may be plain or `async`, and it may fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

__all__ = ["FAILED", "Hook", "call_hook", "wait"]

FAILED = "the server failed; see its log"
"""What a client is told of a failure that was not raised on purpose."""

T = TypeVar("T")
Hook = Callable[..., "Awaitable[None] | Deferred[None] | None"]


def call_hook(
    hook: Hook, *args: object, failed: Callable[[Failure, T], None], about: T
) -> Deferred[None] | None:
    """Call a hook, plain or `async`.

    Args:
        hook: What to call.
        args: What to call it with.
        failed: Called with the failure and `about`, where it fails; it must not fail itself.
        about: What the call is about.

    Returns:
        A Deferred that fires with None when the hook is done, or None where it is done already.
    """
    try:
        result = hook(*args)
    except Exception:
        failed(Failure(), about)
        return None
    if result is None:
        return None
    deferred = result if isinstance(result, Deferred) else Deferred.fromCoroutine(wait(result))
    deferred.addErrback(failed, about)
    return None if deferred.called and not deferred.paused else deferred


async def wait(awaitable: Awaitable[None]) -> None:
    """Wait for anything that can be awaited; what cannot be is a hook that failed."""
    await awaitable
