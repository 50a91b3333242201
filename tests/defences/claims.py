"""All claims, in the order of the document."""

from __future__ import annotations

from tests.defences.load import LOAD
from tests.defences.people import PEOPLE
from tests.defences.web import WEB
from tests.defences.wire import WIRE

__all__ = ["DEFENCES", "claims_table"]

DEFENCES = (*WIRE, *PEOPLE, *LOAD, *WEB)


def claims_table() -> str:
    """Return the document's table of claims."""
    rows = [f"| {each.claim} | `{each.test}` |" for each in DEFENCES]
    return "\n".join(["| claim | test |", "|---|---|", *rows, ""])
