"""The claims of docs/explanation/security.md, each with its defence and the test that holds it.

``python -m tests.defences`` takes each defence out of a copy of the code, one at a time, and shows
that its test fails then.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Defence"]


@dataclass(frozen=True)
class Defence:
    """Something that is claimed.

    Attributes:
        claim: What, as the document says it.
        test: The test that holds it, as pytest names it.
        path: The file of the defence, from the project's root.
        before: A piece of the file's text that is there once: the defence.
        after: The same without it.
    """

    claim: str
    test: str
    path: str
    before: str
    after: str
