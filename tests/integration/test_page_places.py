"""The rooms and the direct messages of the page in Chromium."""

from __future__ import annotations

from contextlib import contextmanager


def test_unread_and_direct(page, tabs, tmp_path):
    """Messages elsewhere are counted, at their conversation and in the title."""
    ann, bob = tabs
    ann.enter("ann", page.link("here"))
    bob.enter("bob", page.link("here"))
    ann.wait("return document.querySelectorAll('#people li').length === 2")
    bob.browser.find_element("css selector", "#people button").click()
    bob.named("button", "Write").click()
    bob.wait("return document.title === 'ann · chatd'")
    bob.say("psst")
    ann.wait("return document.title === '(1) here · chatd'")
    assert "1 new" in ann.named("list", "Direct messages").text.replace("\n", " ")
    ann.named("textbox", "Message").send_keys("\ue00a\ue015\ue00a")
    ann.sees("psst")
    ann.wait("return document.title === 'bob · chatd'")
    assert ann.js("return document.activeElement.id") == "message"


STUBS = """
globalThis.told = [];
globalThis.isAway = false;
const Real = Notification;
globalThis.Notification = class extends EventTarget {
  static get permission() { return Real.permission; }
  static async requestPermission() { told.push("asked"); }
  constructor(title, options) {
    super();
    told.push({ title, ...options, shown: this });
  }
  close() { told.push("closed"); }
};
Object.defineProperty(document, "hidden", { get: () => isAway });
"""
"""Records notifications instead of showing them; the test says whether the person looks away."""


@contextmanager
def notifying(tab, setting):
    """Let the page notify, or not, within the context."""
    origin = tab.address.rstrip("/")
    wanted = {"permission": {"name": "notifications"}, "setting": setting, "origin": origin}
    tab.browser.execute_cdp_cmd("Browser.setPermission", wanted)
    added = tab.browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": STUBS})
    try:
        yield
    finally:
        tab.browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
        tab.browser.execute_cdp_cmd("Browser.resetPermissions", {})


def test_notifications(page, tabs):
    """A person who looks away is told of mentions and of direct messages, once, as plain text."""
    ann, bob = tabs
    with notifying(ann, "granted"):
        ann.enter("ann", page.link("bell"))
        bob.enter("bob", page.link("bell"))
        assert ann.js("return document.getElementById('notify').hidden")
        bob.say("ann looks, and is not told")
        ann.sees("is not told")
        ann.js("isAway = true")
        bob.say("nothing for her")
        bob.say("Ann, <b>look</b>\u202e")
        bob.wait("return document.querySelectorAll('#people li').length === 2")
        bob.browser.find_element("css selector", "#people button").click()
        bob.named("button", "Write").click()
        bob.say("psst")
        ann.wait("return told.length === 2")
        told = ann.js("return told.map(({ title, body, tag }) => [title, body, tag])")
        assert told == [["bob in bell", "Ann, <b>look</b>\ufffd", "bell"], ["bob", "psst", "@bob"]]
        assert ann.js("return document.title") == "(3) bell · chatd"
        ann.js("isAway = false; told[1].shown.dispatchEvent(new Event('click'))")
        ann.wait("return document.title.includes('bob · chatd')")
        assert ann.js("return told.at(-1)") == "closed"


def test_no_notifications(page, tabs):
    """Without leave, the page tells nothing; it asks the browser only if the person does."""
    ann, bob = tabs
    for setting, is_asked in (("denied", False), ("prompt", True)):
        with notifying(ann, setting):
            ann.enter("ann", page.link("quiet"))
            bob.enter("bob", page.link("quiet"))
            assert ann.js("return !document.getElementById('notify').hidden") == is_asked
            ann.js("isAway = true")
            bob.say(f"ann, {setting}")
            ann.wait("return document.title.startsWith('(1) ')")
            assert ann.js("return told") == []
    ann.named("button", "Notify me of messages").click()
    assert ann.js("return told") == ["asked"]


def test_unread_after_closing(page, tabs, tmp_path):
    """What came while the page was closed is unread after joining again."""
    ann, bob = tabs
    ann.enter("una", page.link("away-a"))
    ann.named("button", "Join a room…").click()
    ann.named("textbox", "Room").send_keys("away-b\n")
    ann.wait("return document.title === 'away-b · chatd'")
    page.send_lines("writer", "away-b", ["seen"], tmp_path)
    ann.sees("seen")
    ann.wait("return Object.values(sessionStorage).some((each) => each.includes('away-b'))")
    ann.browser.get("about:blank")
    page.send_lines("writer", "away-b", ["one", "two"], tmp_path)
    bob.enter("bob", page.link("away-a"))
    bob.named("button", "Write to somebody…").click()
    bob.named("textbox", "To").send_keys("una\n")
    bob.say("psst")
    bob.wait("return document.querySelectorAll('[aria-label=confirmed]').length === 1")
    ann.enter("una", page.link("away-a"))
    badge = "return document.querySelector('#direct .badge')?.textContent"
    ann.wait(f"{badge} === '1 new'")
    ann.named("button", "Join a room…").click()
    ann.named("textbox", "Room").send_keys("away-b\n")
    ann.sees("two")
    ann.wait("return document.title === '(1) away-b · chatd'")
    new = "return document.querySelector('.new')?.parentNode.querySelector('.text').innerText"
    assert ann.js(new) == "one"


def test_rooms(page, tabs):
    """A person joins another room, sets its topic, and leaves it."""
    tab = tabs[0]
    tab.enter("rita", page.link("first"))
    tab.named("button", "Join a room…").click()
    tab.named("textbox", "Room").send_keys("second\n")
    tab.wait("return document.title === 'second · chatd'")
    tab.named("button", "Options").click()
    tab.named("textbox", "Topic").send_keys("all <b>things</b>\n")
    tab.wait("return document.getElementById('topic').textContent === 'all <b>things</b>'")
    tab.named("button", "Options").click()
    tab.named("button", "Leave room").click()
    tab.wait("return document.title === 'first · chatd'")
    assert "second" not in tab.named("list", "Rooms").text
    tab.wait("return document.getElementById('first-hint').innerText.includes('first message')")
    tab.named("button", "Options").click()
    tab.named("button", "Leave room").click()
    tab.named("button", "Join a room").click()
    tab.named("textbox", "Room")


def test_slash(page, tabs):
    """A command is not posted to everybody; what the page does not know, it asks about."""
    ann, bob = tabs
    ann.enter("ada", page.link("slash"))
    bob.enter("ben", page.link("slash"))
    ann.say("/mgs ben secret")
    ann.named("button", "Edit").click()
    assert ann.js("return document.getElementById('message').value") == "/mgs ben secret"
    ann.named("textbox", "Message").clear()
    ann.say("/msg ben secret")
    ann.wait("return document.title === 'ben · chatd'")
    bob.wait("return document.title === '(1) slash · chatd'")
    ann.say("/leave")
    ann.wait("return document.title === 'slash · chatd'")
    ann.say("/join slash-two")
    ann.wait("return document.title === 'slash-two · chatd'")
    assert "secret" not in bob.js("return document.getElementById('log').innerText")


def test_no_conversation(page, tabs):
    """With the last conversation closed, the page says so, and loses no text that is written."""
    tab = tabs[0]
    tab.enter("nora", page.link("only"))
    tab.say("/leave")
    tab.wait("return document.title === 'chatd'")
    assert tab.js("return document.getElementById('place').innerText") == "No conversation"
    assert tab.js("return document.querySelectorAll('#log .row, #people li').length") == 0
    assert tab.js("return document.getElementById('message').disabled")
    tab.named("button", "Write to somebody…").click()
    tab.named("textbox", "To").send_keys("nina\n")
    tab.say("hello nina")
    tab.sees("hello nina")
    tab.named("button", "Options").click()
    tab.named("button", "Remove from the list").click()
    tab.wait("return document.title === 'chatd'")
    tab.named("button", "Join a room").click()
    tab.named("textbox", "Room").send_keys("only\n")
    tab.say("back")
    tab.sees("back")
    assert tab.complaints() == []


def test_input_method(page, tabs):
    """The Enter that ends a word of an input method sends nothing, in Safari too."""
    tab = tabs[0]
    tab.enter("mei", page.link("words"))
    tab.named("textbox", "Message").send_keys("ni")
    press = """
        const field = document.getElementById("message");
        const key = { key: "Enter", bubbles: true, cancelable: true, ...arguments[0] };
        field.dispatchEvent(new KeyboardEvent("keydown", key));
        return field.value;
        """
    assert tab.js(press, {"isComposing": True}) == "ni"
    assert tab.js(press, {"keyCode": 229}) == "ni"
    assert tab.js(press, {"keyCode": 13}) == ""
    tab.sees("ni")
