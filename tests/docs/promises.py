"""The promises of the security page: its sentences and cells, and the tests that they name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import cache

from tests.docs.pages import ROOT, page

__all__ = [
    "CHECKED",
    "PAGE",
    "RECORDED",
    "SECRET",
    "Cells",
    "Holders",
    "missing",
    "named",
    "rows",
    "sentences",
    "table",
    "untested",
]

PAGE = "docs/explanation/security.md"

Holders = tuple[str, ...]
"""The tests that hold a promise: `path::Class::test` each, or `path::test` without a class."""
Cells = dict[str, list[tuple[str, Holders]]]
"""The rows of a table: the first cell, and the other cells, each with its tests."""

SECRET: Holders = (
    "tests/server/test_factory.py::KeyTests::test_with_a_key",
    "tests/wire/test_channel.py::TransportTests::test_both_ways",
)
"""The tests that with a key, no message goes in the clear."""
CHECKED: Holders = (
    "tests/integration/test_tls.py::test_no_word_in_the_clear",
    "tests/integration/test_tls.py::test_untrusted_certificate",
    "tests/integration/test_tls.py::test_certificate_of_another_host",
)
"""The tests of TLS between a client that checks the certificate and a server."""
RECORDED: Holders = (
    "tests/wire/test_noise.py::HandshakeTests::test_new_keys_each_time",
    "tests/wire/test_noise.py::HandshakeTests::test_recorded_traffic",
)
"""The tests that a key does not help to read recorded traffic."""

_END = re.compile(r"(?<=[.!?]) (?=[A-Z`*\[])")


def rows(text: str) -> list[tuple[str, ...]]:
    """Return the cells of all rows of the tables in a text, also those of the titles."""
    return [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in text.splitlines()
        if line.startswith("|")
    ]


def table(columns: tuple[str, ...], cells: Cells) -> list[tuple[str, ...]]:
    """Return the rows that a page has for a table."""
    here = [(first, *(cell for cell, _ in others)) for first, others in cells.items()]
    return [columns, ("---",) * len(columns), *here]


def sentences(text: str) -> list[str]:
    """Return the sentences of the paragraphs and lists in a text, each on one line.

    A bold beginning such as `**Deletion.**` belongs to the sentence after it.
    """
    prose = re.sub(r"^\|.*\n", "", text, flags=re.MULTILINE)
    parts = re.split(r"\n{2,}|\n(?=- )", prose)
    lines = [" ".join(part.strip().removeprefix("- ").split()) for part in parts]
    return [sentence for line in lines if line for sentence in _END.split(line)]


def named(cells: Cells) -> list[str]:
    """Return the tests of all cells of a table."""
    return [test for others in cells.values() for _, tests in others for test in tests]


def untested(cells: Cells) -> list[tuple[str, str]]:
    """Return the cells that have a text but no test, or a test but no text, with their rows."""
    return [
        (first, cell)
        for first, others in cells.items()
        for cell, tests in others
        if bool(cell) is not bool(tests)
    ]


def missing(tests: Iterable[str]) -> list[str]:
    """Return the tests that do not exist."""
    return sorted({test for test in tests if not _exists(test)})


def _exists(test: str) -> bool:
    path, _, name = test.partition("::")
    return (ROOT / path).is_file() and name in _names_in(path)


@cache
def _names_in(path: str) -> set[str]:
    """Return the tests of a module; those in a class, or in a base of it there, with the class."""
    names: set[str] = set()
    methods: dict[str, set[str]] = {}
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.parse(page(path)).body:
        if isinstance(node, functions):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            inherited = [methods.get(ast.unparse(base), set()) for base in node.bases]
            own = {each.name for each in node.body if isinstance(each, functions)}
            methods[node.name] = own.union(*inherited)
    return names | {f"{name}::{each}" for name, found in methods.items() for each in found}
