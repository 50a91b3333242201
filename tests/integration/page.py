"""A browser with the page, and what the tests of the page share."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.integration.processes import DEADLINE_S, run_command


class Tab:
    """A browser with the page; finds its parts by the roles and labels that people use."""

    def __init__(self, browser, address):
        self.browser = browser
        self.address = address

    def js(self, program, *arguments):
        """Run JavaScript in the page, and return what it returns."""
        return self.browser.execute_script(program, *arguments)

    def run_module(self, program):
        """Run JavaScript that may await and import modules of the page; return what it returns."""
        found, error = self.browser.execute_async_script(
            f"""
            const done = arguments[0];
            (async () => {{ {program} }})().then(
              (found) => done([found, null]),
              (error) => done([null, `${{error.stack}}`]),
            );
            """
        )
        assert error is None, error
        return found

    def wait(self, program, *arguments):
        """Wait until JavaScript returns something true, and return that."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            if found := self.js(program, *arguments):
                return found
            time.sleep(0.02)
        text = self.js("return document.body.innerText.slice(0, 2000)")
        raise AssertionError(f"not true: {program} {arguments}; the page: {text}")

    def named(self, role, name):
        """Return the visible element with a role and a name, as assistive technology sees them."""
        from selenium.common.exceptions import StaleElementReferenceException  # not everywhere

        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            for each in self.browser.find_elements(
                "css selector", "input,textarea,button,[role],ul"
            ):
                with suppress(StaleElementReferenceException):  # the page drew it again
                    found = (each.aria_role, each.accessible_name)
                    if each.is_displayed() and found == (role, name):
                        return each
            time.sleep(0.02)
        raise AssertionError(f"no {role} {name}")

    def open(self, fragment=""):
        """Open the page by a link, anew."""
        self.browser.get("about:blank")
        self.browser.get(f"{self.address}{fragment}")
        self.named("button", "Join")

    def join(self, name, key="", password=""):
        """Fill in the form, and join."""
        for label, text in (("Name", name), ("Key", key), ("Password", password)):
            if text:
                self.named("textbox", label).send_keys(text)
        self.named("button", "Join").click()

    def enter(self, name, fragment="", **entered):
        """Open the page, join, and wait until messages flow."""
        self.open(fragment)
        self.join(name, **entered)
        self.wait("return !document.getElementById('chat').hidden")
        self.wait("return document.querySelectorAll('#people li').length")

    def say(self, text):
        """Write a message, and send it with Enter."""
        self.named("textbox", "Message").send_keys(text + "\n")

    def sees(self, text):
        """Wait until a text is in the log."""
        self.wait("return document.getElementById('log').innerText.includes(arguments[0])", text)

    def complaints(self):
        """Return what the browser's console has against the page."""
        return [each["message"] for each in self.browser.get_log("browser")]


class Page(NamedTuple):
    """A daemon with a key, and its page."""

    address: str
    key_file: Path
    endpoint: str

    def link(self, room):
        """Return the fragment of a link with the key and a room."""
        return link(self.key_file, room)

    def send_lines(self, name, room, lines: Iterable[str], tmp_path):
        """Send lines as a person at a terminal."""
        file = tmp_path / "lines"
        file.write_text("\n".join(lines) + "\n", "utf-8")
        options = ("--key-file", self.key_file, "--name", name, "--room", room, "--file", file)
        done = run_command("chatd", "connect", self.endpoint, *options)
        assert done.returncode == 0, done.stderr


def link(key_file, room):
    """Return the fragment of a link with a key and a room."""
    return f"#key={key_file.read_text().strip().rstrip('=')}&room={room}"
