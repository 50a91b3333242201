"""Reading a line at a terminal, from code that waits for Deferreds."""

from __future__ import annotations

import asyncio

from prompt_toolkit import PromptSession
from prompt_toolkit.formatted_text import AnyFormattedText
from twisted.internet.defer import CancelledError, Deferred

__all__ = ["ask"]


async def ask(session: PromptSession[str], prompt: AnyFormattedText) -> str:
    """Return the line that a person types.

    Args:
        session: The session that shows the prompt.
        prompt: The text before the line.

    Raises:
        twisted.internet.defer.CancelledError: The caller was cancelled.
        BaseException: What ended the prompt, such as EOFError.
    """
    typing = asyncio.ensure_future(session.prompt_async(prompt, handle_sigint=False))
    try:
        return await Deferred.fromFuture(typing)
    except asyncio.CancelledError as error:  # the prompt has restored the terminal
        raise CancelledError from error
