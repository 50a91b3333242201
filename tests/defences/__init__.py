"""The claims of docs/explanation/security.md, each with its defence and its test.

``python -m tests.defences`` takes each defence out of a copy of the code, one at a time, and shows
that its test fails without it.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Defence"]


@dataclass(frozen=True)
class Defence:
    """A claim with its defence and its test.

    Attributes:
        claim: The document's sentence.
        test: The test's name for pytest.
        path: The file of the defence, relative to the project's root.
        before: The defence: a text that occurs once in the file.
        after: The text without the defence.
    """

    claim: str
    test: str
    path: str
    before: str
    after: str
