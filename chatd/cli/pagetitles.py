"""The titles of pages of earlier messages."""

from __future__ import annotations

__all__ = ["page_title"]


def page_title(number: int, where: str, *, is_newest: bool, is_oldest: bool = False) -> str:
    """Return the title of a page.

    Args:
        number: The number of messages in the page.
        where: Their place and what they have in common, such as `in lobby`.
        is_newest: Whether the person has seen no page after it.
        is_oldest: Whether no messages before the page are kept.
    """
    many = f"{number} messages" if number > 1 else "message"
    title = f"the last {many} {where}" if is_newest else f"the {many} {where} before those"
    return f"{title}; the server keeps no earlier ones" if is_oldest else title
