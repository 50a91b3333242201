"""Tests of the files that a browser loads."""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd.web.pagefiles import load_page


class LoadTests(SynchronousTestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)

    def write(self, path: str, text: str = "") -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def test_paths(self) -> None:
        """Each file has the path that it has in the directory, and the index is the page itself."""
        for path in ("index.html", "app/main.js", "icon.svg"):
            self.write(path, path)
        page = load_page(self.root)
        self.assertEqual(set(page), {b"/", b"/index.html", b"/app/main.js", b"/icon.svg"})
        self.assertEqual(page[b"/"].content, b"index.html")
        self.assertEqual(page[b"/app/main.js"].media_type, b"text/javascript; charset=utf-8")

    def test_other_files(self) -> None:
        """Hidden files and files of other kinds are not served."""
        for path in (".git/config.js", "app/.main.js", "notes.md", "program"):
            self.write(path)
        self.assertEqual(load_page(self.root), {})

    def test_etag(self) -> None:
        """The ETag changes with the content, and with nothing else."""
        tags = []
        for text in ("one", "two", "one"):
            self.write("index.html", text)
            tags.append(load_page(self.root)[b"/"].etag)
        self.assertEqual((tags[0], tags[0] == tags[1]), (tags[2], False))

    def test_own_page(self) -> None:
        """The package has a page."""
        self.assertIn(b"<!doctype html>", load_page()[b"/"].content.lower())
