"""The page in Chromium: with a terminal, by an invitation, on a phone, and in an old browser."""

from __future__ import annotations

import time

import pytest

from tests.integration.page import Tab
from tests.integration.processes import DEADLINE_S, daemon, run_command
from tests.integration.terminals import ENTER, PROMPT, TerminalProcess

WITHOUT_X25519 = """
for (const name of ["importKey", "generateKey", "deriveBits"]) {
  const real = crypto.subtle[name];
  crypto.subtle[name] = (...given) =>
    given.some((each) => each?.name === "X25519")
      ? Promise.reject(new DOMException("unrecognized name", "NotSupportedError"))
      : real.apply(crypto.subtle, given);
}
"""
"""Makes WebCrypto refuse X25519, as in a browser of some years ago."""


@pytest.mark.parametrize("is_keyed", [True, False], ids=["keyed", "clear"])
def test_with_a_terminal(is_keyed, page, tmp_path, browsers):
    """Two browsers and a client at a terminal see the same messages, each once and in order."""
    endpoint = f"unix:{tmp_path}/socket"
    keyed = ("--key-file", str(page.key_file)) if is_keyed else ()
    web = ("--web", "tcp:0:interface=127.0.0.1")
    with daemon(*keyed, *web, endpoint=endpoint) as process:
        port = process.output.wait_for(r"WebFront starting on (\d+)")[1]
        ann, bob = (Tab(each, f"http://127.0.0.1:{port}/") for each in browsers)
        fragment = page.link("three") if is_keyed else "#room=three"
        ann.enter("ann", fragment)
        bob.enter("bob", fragment)
        words = (f"ws://127.0.0.1:{port}/ws", "--name", "tim", "--room", "three")
        with TerminalProcess("chatd", "connect", *words, *keyed) as tim:
            tim.screen.wait_for(PROMPT)
            said = []
            for number in range(3):
                for say, text in (
                    (ann.say, f"ann {number}"),
                    (lambda text: tim.type(text + ENTER), f"tim {number}"),
                    (bob.say, f"bob {number}"),
                ):
                    say(text)
                    ann.sees(text)
                    bob.sees(text)
                    tim.screen.wait_for(rf"{text[:3]}: {text}\n")
                    said.append(text)
            heard = [
                line.partition(": ")[2]
                for line in tim.screen.text.splitlines()
                if ": " in line and line.partition(": ")[2] in said
            ]
            assert heard == said
            for tab in (ann, bob):
                texts = "return [...document.querySelectorAll('.text')].map(e => e.innerText)"
                assert tab.js(texts) == said
                tab.browser.get("about:blank")


def test_invitation(page, tabs):
    """The link that `chatd invite` prints leads into its room; its key is not in the page."""
    asked = ("--key-file", page.key_file, "--room", "Käse&Brot")
    invited = run_command("chatd", "invite", page.address, *asked)
    assert invited.returncode == 0, invited.stderr
    link = invited.stdout.strip()
    assert link.startswith(f"{page.address}#key=")
    tab = tabs[0]
    tab.enter("guest", link.removeprefix(page.address))
    tab.wait("return document.title === 'Käse&Brot · chatd'")
    assert tab.browser.current_url == page.address
    key = page.key_file.read_text().strip().rstrip("=")
    assert key not in tab.js("return document.documentElement.outerHTML")


def test_phone(page, tabs):
    """On a phone's width, everything is reached without scrolling sideways."""
    tab = tabs[0]
    devices = {"width": 360, "height": 640, "deviceScaleFactor": 2, "mobile": True}
    tab.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", devices)
    sideways = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    small = """
        return [...document.querySelectorAll("button, input, textarea, a[href]")]
          .filter((each) => each.offsetParent !== null && each.type !== "checkbox")
          .filter((each) => each.getBoundingClientRect().height < 24)
          .map((each) => each.id || each.innerText);
        """
    try:
        tab.open(page.link("phone"))
        assert (tab.js(sideways), tab.js(small)) == (0, [])
        tab.enter("pia", page.link("phone"))
        tab.say("a-word-that-is-far-too-long-for-a-phone-" * 20)
        tab.wait("return document.querySelectorAll('[aria-label=confirmed]').length === 1")
        assert (tab.js(sideways), tab.js(small)) == (0, [])
        for opener, panel in (("show-places", "places"), ("show-people", "people-panel")):
            tab.browser.find_element("id", opener).click()
            assert tab.js("return document.activeElement.innerText") == "Close"
            end = time.monotonic() + DEADLINE_S  # the panel slides in
            inside = (
                "const r = document.getElementById(arguments[0]).getBoundingClientRect();"
                "return r.left >= 0 && r.right <= 360"
            )
            while not tab.js(inside, panel):
                assert time.monotonic() < end, panel
            assert (tab.js(sideways), tab.js(small)) == (0, [])
            tab.browser.switch_to.active_element.click()
        assert tab.named("textbox", "Message").is_displayed()
    finally:
        tab.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_old_browser(page, tabs):
    """A browser without X25519 is told which browsers have it."""
    tab = tabs[0]
    source = {"source": WITHOUT_X25519}
    added = tab.browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)
    try:
        tab.open(page.link("old"))
        tab.join("ann")
        said = "return document.getElementById('refusal').innerText.startsWith(arguments[0])"
        tab.wait(said, "This browser is too old for a key: use Chrome 133")
    finally:
        tab.browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
