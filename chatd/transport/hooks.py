"""Calls of methods that users override: a method may be plain or `async`, and may fail."""

from __future__ import annotations

from asyncio import CancelledError, isfuture
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, copy_context
from inspect import isawaitable
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from typing import TypeAlias

__all__ = ["DONE", "FAILED", "Done", "Hook", "HookResult", "call_hook", "start", "wait"]

FAILED = "the server failed; see its log"
"""The text for a client after an exception that was not raised on purpose."""

T = TypeVar("T")
Hook = Callable[..., "Awaitable[None] | Deferred[None] | None"]
HookResult: TypeAlias = "Awaitable[None] | Any"
"""The result of an overridable method: None if it is plain, an awaitable if it is `async`.

No type includes None and can be awaited. `Any` allows both: None as the result of an override, and
`await super().message_received(...)` in an `async` override.
"""


class Done:
    """The result of a plain method that an `async` override may await; its work is done."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        yield from ()


DONE = Done()
"""The result of the library's own plain hooks; it costs no more than None."""


def call_hook(
    failed: Callable[[Failure, T], None], about: T, hook: Hook, *args: object
) -> Deferred[None] | None:
    """Call a hook, plain or `async`.

    Args:
        failed: Called with the failure and `about` if the hook fails; it must not fail itself.
        about: The subject of the call, for `failed`.
        hook: The hook to call.
        args: The arguments of the hook.

    Returns:
        A Deferred that fires with None when the hook is done, or None if it is done already.
    """
    try:
        result = hook(*args)
        if result is None or result is DONE:
            return None
        if not isinstance(result, CoroutineType | Deferred) and not isawaitable(result):
            raise TypeError(_no_result(hook, result))
        deferred = result if isinstance(result, Deferred) else start(result)
    except (Exception, CancelledError):  # asyncio's is no Exception, and cancels only a task
        failed(Failure(), about)
        return None
    if deferred is None:
        return None
    deferred.addErrback(failed, about)
    return None if deferred.called and not deferred.paused else deferred


def start(awaitable: Awaitable[None]) -> Deferred[None] | None:
    """Start an awaitable, and run it until it waits.

    Most awaitables never wait, and a Deferred would cost more than their work.

    Returns:
        A Deferred that fires with None when the awaitable is done, or None if it is done already.

    Raises:
        Exception: The awaitable raised it before it waited.
    """
    coroutine = awaitable if isinstance(awaitable, CoroutineType) else wait(awaitable)
    context = copy_context()
    try:
        awaited = context.run(coroutine.send, None)
    except StopIteration:
        return None
    return Deferred.fromCoroutine(_go_on(coroutine, awaited, context))


def _go_on(
    coroutine: Coroutine[Any, Any, None], awaited: object, context: Context
) -> Generator[Any, Any, None]:
    """Run the rest of a coroutine that is waiting already, in its own context."""
    while True:
        failure: BaseException | None = None
        result = None
        try:
            # A hook may wait for asyncio's futures too, if the reactor runs in asyncio's loop.
            result = yield Deferred.fromFuture(awaited) if isfuture(awaited) else awaited
        except GeneratorExit:  # nothing will ever fire what the hook awaits
            context.run(coroutine.close)
            raise
        except BaseException as error:
            failure = error  # thrown below, outside of this handler
        try:
            if failure is None:
                awaited = context.run(coroutine.send, result)
            else:
                awaited = context.run(coroutine.throw, failure)
        except StopIteration:
            return


async def wait(awaitable: Awaitable[None]) -> None:
    """Wait for an awaitable."""
    await awaitable


def _no_result(hook: Hook, result: object) -> str:
    """Return what is wrong with a hook that returned neither None nor an awaitable."""
    name = getattr(hook, "__qualname__", repr(hook))
    return (
        f"{name} returned {type(result).__name__}: a hook returns None or an awaitable; to answer "
        "a message, call reply"
    )
