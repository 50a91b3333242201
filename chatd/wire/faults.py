"""`plain_fault`: says in plain words which field of a header is wrong."""

from __future__ import annotations

import re

from msgspec import ValidationError

__all__ = ["plain_fault"]

_MISSING = re.compile(r"Object missing required field `(\w+)`.*")
_AT = re.compile(r"Expected (.+) - at `\$\.(.+)`")
_LENGTH = re.compile(r"`(str|array|object)` of length (<=|>=) (\d+)")
_RANGE = re.compile(r"`(?:int|float)` (<=|>=) (\S+)")
_KIND = re.compile(r"`(.+)`, got `(.+)`")
_LIMITS = {"<=": "at most", ">=": "at least"}
_UNITS = {"str": "characters", "array": "items", "object": "fields"}
_WORDS = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "null": "null",
    "object": "an object",
    "str": "text",
}


def plain_fault(error: ValidationError) -> str:
    """Return what is wrong with a field, in other words than msgspec's if possible."""
    text = str(error)
    if missing := _MISSING.fullmatch(text):
        return f"{missing[1]} is missing"
    found = _AT.fullmatch(text)
    if found is None:
        return text
    expected, field = found.groups()
    if length := _LENGTH.fullmatch(expected):
        unit = _UNITS[length[1]].removesuffix("s" if length[3] == "1" else "")
        return f"{field} must have {_LIMITS[length[2]]} {length[3]} {unit}"
    if bound := _RANGE.fullmatch(expected):
        return f"{field} must be {_LIMITS[bound[1]]} {bound[2]}"
    if kind := _KIND.fullmatch(expected):
        return f"{field} must be {_in_words(kind[1])}, not {_in_words(kind[2])}"
    return text


def _in_words(kinds: str) -> str:
    return " or ".join(_WORDS.get(kind, kind) for kind in kinds.split(" | "))
