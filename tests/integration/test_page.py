"""The page in Chromium, with a daemon: from the door to the end of a session."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.integration.chromium import chromium
from tests.integration.page import Tab, link
from tests.integration.processes import daemon, run_command

AXE = Path(os.environ.get("AXE_CORE", ROOT / "tests/web/page/node_modules/axe-core/axe.min.js"))


def test_two_people(page, tabs):
    """Two people see each other's messages once and in order, and that theirs are confirmed."""
    ann, bob = tabs
    ann.enter("ann", page.link("two-people"))
    bob.enter("bob", page.link("two-people"))
    ann.say("hello bob")
    bob.sees("hello bob")
    bob.say("hello ann, see https://example.org/x.")
    ann.sees("hello ann")
    ann.say("one\ue008\ue007\ue008two")
    bob.sees("one\ntwo")
    ann.wait("return document.querySelectorAll('[aria-label=confirmed]').length === 2")
    for tab in tabs:
        texts = tab.js("return [...document.querySelectorAll('.text')].map(e => e.innerText)")
        assert texts == ["hello bob", "hello ann, see https://example.org/x.", "one\ntwo"]
        found = tab.js(
            "const a = document.querySelector('.text a'); return [a.href, a.rel, a.target]"
        )
        assert found == ["https://example.org/x", "noopener noreferrer", "_blank"]
        people = tab.js(
            "return [...document.querySelectorAll('#people bdi')].map(e => e.innerText)"
        )
        assert people == ["ann", "bob"]
        assert tab.named("list", "Rooms").text.split() == ["#", "two-people"]
        assert tab.complaints() == []


def test_link(page, tabs):
    """The key of a link leaves the address at once, and is kept only where the person asks."""
    tab = tabs[0]
    tab.open(page.link("linked"))
    assert tab.browser.current_url == page.address
    tab.enter("ann", page.link("linked"))
    stored = "return [localStorage.length, sessionStorage.length, document.cookie]"
    assert tab.js("return [localStorage.length, document.cookie]") == [0, ""]
    kept = tab.js("return JSON.stringify({...sessionStorage})")
    assert page.key_file.read_text().strip().rstrip("=") not in kept
    assert tab.js("return document.getElementById('key').value") == ""
    tab.open(page.link("linked"))
    tab.browser.find_element("id", "remember").click()
    tab.join("ann")
    tab.wait("return !document.getElementById('chat').hidden")
    assert "chatd" in tab.js("return Object.keys(localStorage)")
    tab.browser.get("about:blank")
    tab.browser.get(page.address)
    tab.wait("return document.title === 'linked · chatd'")  # it joins by itself
    tab.named("button", "Leave").click()
    tab.named("button", "Join")
    assert tab.js(stored) == [0, 0, ""]
    assert tab.js("return document.getElementById('key').value") == ""


def test_refusals(page, tabs):
    """The page says in a sentence why a person cannot come in, and goes to the field at fault."""
    tab = tabs[0]
    for key, said in (
        ("", "This chat has a key"),
        ("x", "That is no key"),
        ("A" * 43, "The key is wrong"),
    ):
        tab.open()
        tab.join("ann", key=key)
        tab.wait("return document.getElementById('refusal').innerText.includes(arguments[0])", said)
        assert tab.js("return document.activeElement.id") == "key"
    tab.open()
    tab.join("ann smith")
    tab.wait("return document.getElementById('refusal').innerText.includes('without spaces')")
    assert tab.js("return document.activeElement.id") == "name"
    tab.open("#key=%E0%A4%A")
    tab.wait("return document.getElementById('refusal').innerText.includes('The link is damaged')")


def test_accounts_and_refusals(tmp_path, browsers):
    """An account gets in with its password, which is not kept; a refused message says why."""
    key_file, accounts = tmp_path / "key", tmp_path / "accounts"
    assert run_command("chatd", "keygen", key_file).returncode == 0
    done = run_command("chatd", "passwd", accounts, "ann", input="s3cret\n")
    assert done.returncode == 0, done.stderr
    options = ("--key-file", key_file, "--password-file", accounts, "--max-content", "64")
    endpoint = f"unix:{tmp_path}/socket"
    with daemon(*options, "--web", "tcp:0:interface=127.0.0.1", endpoint=endpoint) as process:
        port = process.output.wait_for(r"WebFront starting on (\d+)")[1]
        tab = Tab(browsers[0], f"http://127.0.0.1:{port}/")
        tab.open(link(key_file, "lobby"))
        tab.join("ann", password="wrong")
        tab.wait("return document.activeElement.id === 'password'")
        assert tab.js("return document.getElementById('refusal').innerText").startswith(
            "Wrong name or password."
        )
        tab.named("textbox", "Password").clear()
        tab.browser.find_element("id", "remember").click()
        tab.join("", password="s3cret")
        tab.wait("return !document.getElementById('chat').hidden")
        kept = tab.js("return JSON.stringify([{...localStorage}, {...sessionStorage}])")
        assert "ann" in kept
        assert "s3cret" not in kept
        tab.say("x" * 65)
        tab.sees("Not sent. That is longer than this server takes.")
        tab.named("button", "Send again").click()
        tab.sees("Not sent. That is longer than this server takes.")
        tab.named("button", "Discard").click()
        tab.say("short")
        tab.wait("return document.querySelectorAll('[aria-label=confirmed]').length === 1")
        assert tab.js("return document.querySelectorAll('.text').length") == 1
        tab.browser.get("about:blank")


def test_operator(page, tabs):
    """An operator kicks somebody with a reason, which both see."""
    olga, bob = tabs
    buttons = (
        "return [...document.querySelectorAll('#dialog-buttons button')].map(e => e.innerText)"
    )
    olga.enter("olga", page.link("kicking"))
    bob.enter("bob", page.link("kicking"))
    olga.wait("return document.querySelectorAll('#people li').length === 2")
    olga.browser.find_elements("css selector", "#people button")[1].click()  # her own menu
    assert olga.js(buttons) == ["Write", "Close"]
    olga.named("button", "Close").click()
    bob.named("textbox", "Message").send_keys("half a sentence")
    olga.browser.find_element("css selector", "#people button").click()
    olga.named("button", "Kick…")
    assert olga.js(buttons) == ["Write", "Kick…", "Ban…", "Close"]
    olga.named("button", "Kick…").click()
    olga.named("textbox", "Reason").send_keys("noise")
    olga.named("button", "Kick").click()
    olga.sees("olga removed bob: noise.")
    bob.wait("return document.getElementById('banner').innerText.includes('noise')")
    assert bob.js("return document.getElementById('message').disabled")
    bob.wait("return document.querySelectorAll('#people li').length === 0")
    assert bob.js("return document.getElementById('message').value") == "half a sentence"
    bob.named("button", "Join again").click()
    bob.wait("return document.querySelectorAll('#people li').length === 2")
    field = bob.named("textbox", "Message")
    assert field.get_attribute("value") == "half a sentence"
    field.send_keys("\n")
    olga.sees("half a sentence")


def test_ban(page, tabs):
    """An operator bans somebody for a while; the person reads why, and cannot come back."""
    olga, sam = tabs
    olga.enter("olga", page.link("banning"))
    sam.enter("sam", page.link("banning"))
    olga.wait("return document.querySelectorAll('#people li').length === 2")
    olga.browser.find_elements("css selector", "#people button")[1].click()
    olga.named("button", "Ban…").click()
    olga.named("textbox", "Reason").send_keys("spam")
    olga.named("button", "Ban").click()
    olga.sees("olga removed sam: spam.")
    banned = "You are banned from this server; the ban ends in "
    said = "return document.getElementById(arguments[0]).innerText.startsWith(arguments[1])"
    sam.wait(said, "banner", banned)
    sam.named("button", "Join again").click()
    sam.wait(said, "refusal", banned)
    assert sam.js("return document.getElementById('refusal').innerText.includes('spam')")
    assert sam.js("return document.getElementById('chat').hidden")


def test_leave_asks(page, tabs):
    """`Leave` asks first if a message is begun or not sent, and is not the first Tab stop."""
    tab = tabs[0]
    tab.enter("ann", page.link("leaving"))
    first = "return document.querySelector('#chat button').id"
    assert tab.js(first) != "leave-chat"
    tab.named("textbox", "Message").send_keys("not yet")
    tab.named("button", "Leave").click()
    tab.wait("return document.getElementById('dialog').innerText.includes('begun a message')")
    tab.named("button", "Stay").click()
    assert tab.js("return document.getElementById('message').value") == "not yet"
    tab.named("button", "Leave").click()
    tab.named("button", "Leave anyway").click()
    tab.named("button", "Join")
    tab.join("ann", key=page.key_file.read_text().strip())
    tab.wait("return document.querySelectorAll('#people li').length")
    tab.say("back again")
    tab.wait("return document.querySelector('#log').innerText.includes('back again')")


def test_keyboard(page, tabs):
    """The keyboard alone is enough: the focus begins where people write, and reaches all."""
    tab = tabs[0]
    tab.open(page.link("keys"))

    def press(keys):
        tab.browser.switch_to.active_element.send_keys(keys)

    press("ann\n")
    tab.wait("return document.activeElement.id === 'message'")
    press("typed at once\n")
    tab.sees("typed at once")
    tab.wait("return document.querySelectorAll('#people li').length === 1")
    reached = set()
    for _ in range(15):
        press("\ue004")
        reached.add(tab.js("return document.activeElement.id || document.activeElement.innerText"))
    wanted = {"leave-chat", "find-room", "find-person", "room-menu", "log", "message", "send"}
    assert wanted <= reached
    tab.browser.find_element("id", "room-menu").send_keys("\n")
    tab.wait("return document.getElementById('dialog').open")
    press("\ue00c")
    tab.wait("return !document.getElementById('dialog').open")
    assert tab.js("return document.activeElement.id") == "room-menu"


def test_plain_http(tmp_path):
    """Where the browser offers no cryptography, the page says what to do."""
    options = ("--web", "tcp:0:interface=127.0.0.1", "--web-origin", "http://chat.test")
    with (
        daemon(*options, endpoint=f"unix:{tmp_path}/socket") as process,
        chromium("--host-resolver-rules=MAP chat.test 127.0.0.1") as browser,
    ):
        port = process.output.wait_for(r"WebFront starting on (\d+)")[1]
        tab = Tab(browser, f"http://chat.test:{port}/")
        tab.open()
        tab.join("ann")
        tab.wait("return document.getElementById('refusal').innerText.includes('https://')")


def test_resume(tmp_path, browsers):
    """After `kill -9` of the daemon, what was said waits, and all comes once."""
    endpoint = f"unix:{tmp_path}/socket"
    options = ["--data", tmp_path / "data"]
    tab = None
    with daemon(*options, "--web", "tcp:0:interface=127.0.0.1", endpoint=endpoint) as process:
        port = process.output.wait_for(r"WebFront starting on (\d+)")[1]
        tab = Tab(browsers[0], f"http://127.0.0.1:{port}/")
        tab.enter("ann")
        tab.say("before")
        tab.wait("return document.querySelectorAll('[aria-label=confirmed]').length === 1")
    tab.wait("return document.getElementById('banner').innerText.includes('connects again')")
    tab.say("while away")
    tab.wait("return document.querySelector('.row.pending')?.innerText.includes('waiting')")
    with daemon(*options, "--web", f"tcp:{port}:interface=127.0.0.1", endpoint=endpoint):
        tab.wait("return document.querySelectorAll('[aria-label=confirmed]').length === 2")
        texts = tab.js("return [...document.querySelectorAll('.text')].map(e => e.innerText)")
        assert texts == ["before", "while away"]
        assert tab.js("return document.getElementById('banner').innerText.trim()") == ""
    tab.browser.get("about:blank")


def test_accessibility(page, tabs):
    """axe-core finds no violation: at the door, in the chat, in a dialog; light, dark, narrow."""
    if not AXE.exists():
        pytest.skip("needs axe-core: nox -s javascript, or npm ci in tests/web/page, brings it")
    axe = AXE.read_text("utf-8")

    def violations(tab):
        tab.js(axe)
        return tab.run_module(
            "const { violations } = await axe.run();"
            "return violations.map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 200))]);"
        )

    for index, tab in enumerate(tabs):
        tab.open(page.link("axe"))
        assert violations(tab) == []
        tab.enter(f"ann{index}", page.link("axe"))
        tab.say("hello `code` https://example.org ```x```")
        tab.wait("return document.querySelectorAll('[aria-label=confirmed]').length")
        assert violations(tab) == []
        tab.named("button", "Options").click()
        assert violations(tab) == []
        tab.named("button", "Close").click()
        tab.browser.set_window_size(500, 800)
        try:
            tab.browser.find_element("id", "show-places").click()
            assert violations(tab) == []
        finally:
            tab.browser.set_window_size(1200, 900)
