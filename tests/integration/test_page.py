"""The page in Chromium, with a daemon, and with peers that mean harm."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.integration.chromium import chromium
from tests.integration.processes import daemon, run_command

DEADLINE_S = 20
AXE = Path(os.environ.get("AXE_CORE", ROOT / "tests/web/page/node_modules/axe-core/axe.min.js"))
HOSTILE = [
    "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>",
    "javascript:document.title='owned'",
    "</bdi></div><h1>owned</h1><!--",
    "\u202e\u2066reversed https://a.example/\u202egpj.exe",
    "\x07\x1b[2J\x1b]0;owned\x07",
    "z" * 1_000_000,
    "a\u0300" * 2000,
    "`" * 5000,
]


class Tab:
    """A browser with the page; finds its parts by the roles and labels that people use."""

    def __init__(self, browser, address):
        self.browser = browser
        self.address = address

    def js(self, program, *arguments):
        """Run JavaScript in the page, and return what it returns."""
        return self.browser.execute_script(program, *arguments)

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


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    """Run a daemon with a key, and return its address, its key and its other endpoint."""
    directory = tmp_path_factory.mktemp("chat")
    key_file = directory / "chat.key"
    assert run_command("chatd", "keygen", key_file).returncode == 0
    options = ("--key-file", key_file, "--web", "tcp:0:interface=127.0.0.1", "--operator", "olga")
    endpoint = f"unix:{directory}/socket"
    with daemon(*options, "--data", directory / "data", endpoint=endpoint) as process:
        port = process.output.wait_for(r"WebFront starting on (\d+)")[1]
        yield f"http://127.0.0.1:{port}/", key_file, endpoint


@pytest.fixture(scope="module")
def browsers():
    """Return two browsers; each is a person of its own."""
    with chromium() as one, chromium("--blink-settings=preferredColorScheme=0") as other:
        yield one, other


@pytest.fixture
def tabs(chat, browsers):
    """Return two tabs that have not joined."""
    return [Tab(each, chat[0]) for each in browsers]


def link(key_file, room):
    """Return the fragment of a link with a key and a room."""
    return f"#key={key_file.read_text().strip().rstrip('=')}&room={room}"


def send_lines(chat, name, room, lines, tmp_path):
    """Send lines as a person at a terminal."""
    _, key_file, endpoint = chat
    file = tmp_path / "lines"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    options = ("--key-file", key_file, "--name", name, "--room", room, "--file", file)
    done = run_command("chatd", "connect", endpoint, *options)
    assert done.returncode == 0, done.stderr


def test_two_people(chat, tabs):
    """Two people see each other's messages once and in order, and that theirs are confirmed."""
    ann, bob = tabs
    ann.enter("ann", link(chat[1], "two-people"))
    bob.enter("bob", link(chat[1], "two-people"))
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


def test_link(chat, tabs):
    """The key of a link leaves the address at once, and is kept only where the person asks."""
    tab = tabs[0]
    tab.open(link(chat[1], "linked"))
    assert tab.browser.current_url == chat[0]
    tab.enter("ann", link(chat[1], "linked"))
    stored = "return [localStorage.length, sessionStorage.length, document.cookie]"
    assert tab.js("return [localStorage.length, document.cookie]") == [0, ""]
    kept = tab.js("return JSON.stringify({...sessionStorage})")
    assert chat[1].read_text().strip().rstrip("=") not in kept
    assert tab.js("return document.getElementById('key').value") == ""
    tab.open(link(chat[1], "linked"))
    tab.browser.find_element("id", "remember").click()
    tab.join("ann")
    tab.wait("return !document.getElementById('chat').hidden")
    assert "chatd" in tab.js("return Object.keys(localStorage)")
    tab.browser.get("about:blank")
    tab.browser.get(chat[0])
    tab.wait("return document.title === 'linked · chatd'")  # it joins by itself
    tab.named("button", "Leave").click()
    tab.named("button", "Join")
    assert tab.js(stored) == [0, 0, ""]
    assert tab.js("return document.getElementById('key').value") == ""


def test_refusals(chat, tabs):
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
    """An account gets in with its password; a message that is refused stays, and says why."""
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
        tab.join("", password="s3cret")
        tab.wait("return !document.getElementById('chat').hidden")
        tab.say("x" * 65)
        tab.sees("Not sent. That is longer than this server takes.")
        tab.named("button", "Send again").click()
        tab.sees("Not sent. That is longer than this server takes.")
        tab.named("button", "Discard").click()
        tab.say("short")
        tab.wait("return document.querySelectorAll('[aria-label=confirmed]').length === 1")
        assert tab.js("return document.querySelectorAll('.text').length") == 1
        tab.browser.get("about:blank")


def test_hostile(chat, tabs, tmp_path):
    """Whatever a peer says is shown as text: no markup, no script, nothing beyond its row."""
    ann = tabs[0]
    name = "<b>x&amp;</b>"
    send_lines(chat, name, "hostile", HOSTILE, tmp_path)
    ann.enter("ann", link(chat[1], "hostile"))
    ann.wait("return document.querySelectorAll('.text').length >= arguments[0]", len(HOSTILE))
    assert ann.js("return document.title") == "hostile · chatd"
    inner = (
        "return document.querySelectorAll('#log img, #log script, #log h1, #log b, #log i').length"
    )
    assert ann.js(inner) == 0
    assert name in ann.js("return document.querySelector('#log .from').textContent")
    text = ann.js("return document.getElementById('log').textContent")
    assert not set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\x07\x1b") & set(text)
    assert "Show all 1,000,000 characters" in text
    width = "const l = document.getElementById('log'); return l.scrollWidth <= l.clientWidth"
    assert ann.js(width)
    ann.js(
        "[...document.querySelectorAll('.rest')].find(e => e.innerText.includes('000,000')).click()"
    )
    ann.wait("return document.getElementById('log').textContent.includes('z'.repeat(1000000))")
    assert ann.js(width)
    assert ann.complaints() == []


def test_policy(chat, tabs):
    """The page's policy stops HTML from text, and all that is from elsewhere."""
    tab = tabs[0]
    tab.open()
    for program in (
        "document.body.innerHTML = '<b>x</b>'",
        "trustedTypes.createPolicy('x', {})",
    ):
        with pytest.raises(Exception, match=r"TrustedHTML|unsafe-eval|Policy|policy|TrustedScript"):
            tab.js(program)
    tab.complaints()


def test_history_and_window(chat, tabs, tmp_path):
    """Scrolling up brings all that the server keeps, once; few rows are in the document."""
    lines = [f"line {number}" for number in range(1, 1501)]
    send_lines(chat, "writer", "long", lines, tmp_path)
    tab = tabs[0]
    tab.enter("ann", link(chat[1], "long"))
    tab.sees("line 1500")
    seen = set()
    rows = "return [...document.querySelectorAll('.text')].map(e => e.innerText)"
    end = time.monotonic() + DEADLINE_S * 2
    while "line 1" not in seen and time.monotonic() < end:
        shown = tab.js(rows)
        assert len(shown) <= 200
        assert len(set(shown)) == len(shown)
        seen.update(shown)
        tab.js("document.getElementById('log').scrollTop -= 1500")
    assert len(seen) == 1500
    tab.named("button", "Go to the newest").click()
    tab.sees("line 1500")
    assert tab.js(rows)[-1] == "line 1500"


def test_end(chat, tabs, tmp_path):
    """A reader at the end stays there while messages come and the field for a message grows."""
    send_lines(chat, "writer", "ending", [f"line {number}" for number in range(60)], tmp_path)
    ann, bob = tabs
    ann.enter("ann", link(chat[1], "ending"))
    bob.enter("bob", link(chat[1], "ending"))
    field = ann.named("textbox", "Message")
    for number in range(8):
        field.send_keys("more\ue008\ue007\ue008")
        bob.say(f"answer {number}")
        ann.sees(f"answer {number}")
    ann.wait(
        "const l = document.getElementById('log');"
        "return l.scrollHeight - l.scrollTop - l.clientHeight < 5"
    )
    assert ann.js("return document.getElementById('newest').hidden")
    ann.js("document.getElementById('log').scrollTop -= 400")
    ann.named("button", "Go to the newest")
    bob.say("below")
    ann.named("button", "1 new, go to the newest").click()
    ann.sees("below")
    ann.wait("return document.title === 'ending · chatd'")


def test_large_room(chat, tabs):
    """A log of 100,000 messages scrolls: only a window of it is in the document."""
    tab = tabs[0]
    tab.open()
    found = tab.browser.execute_async_script(
        """
        const done = arguments[0];
        (async () => {
          const { Log } = await import("/app/log.js");
          const { Conversation } = await import("/app/conversation.js");
          const room = new Conversation("room", "large");
          for (let seq = 1; seq <= 100000; seq += 1) {
            room.add({ id: `${seq}`, room: "large", to: null, from: "bob", seq, time: seq,
                       content: [], contentType: "text/plain", text: `m${seq}`, own: false });
          }
          room.isRead = room.isWhole = true;
          document.getElementById("chat").hidden = false;
          const element = document.getElementById("log");
          const none = () => {};
          const frame = () => new Promise((next) => requestAnimationFrame(next));
          let log;
          const draw = () => log.draw(room);
          const acts = { resend: none, discard: none, calls: () => false };
          log = new Log(element, acts, { draw, older: none }, new AbortController().signal);
          draw();
          const texts = () => [...element.querySelectorAll(".text")].map((e) => e.innerText);
          const all = new Set(texts());
          let most = all.size;
          for (let step = 0; step < 60; step += 1) {
            element.scrollTop -= 1200;
            await frame(); await frame();
            const now = texts();
            now.forEach((text) => all.add(text));
            most = Math.max(most, now.length);
          }
          const isWithoutGap = [...Array(all.size).keys()].every((n) => all.has(`m${100000 - n}`));
          log.toEnd();
          done([most, all.size, isWithoutGap, texts().at(-1)]);
        })().catch((error) => done(String(error)));
        """
    )
    most, size, is_without_gap, last = found
    assert (most, is_without_gap, last) == (200, True, "m100000")
    assert size > 1000


def test_unread_and_direct(chat, tabs, tmp_path):
    """Messages elsewhere are counted, at their conversation and in the title."""
    ann, bob = tabs
    ann.enter("ann", link(chat[1], "here"))
    bob.enter("bob", link(chat[1], "here"))
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


def test_notifications(chat, tabs):
    """A person who looks away is told of mentions and of direct messages, once, as plain text."""
    ann, bob = tabs
    with notifying(ann, "granted"):
        ann.enter("ann", link(chat[1], "bell"))
        bob.enter("bob", link(chat[1], "bell"))
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


def test_no_notifications(chat, tabs):
    """Without leave, the page tells nothing; it asks the browser only if the person does."""
    ann, bob = tabs
    for setting, is_asked in (("denied", False), ("prompt", True)):
        with notifying(ann, setting):
            ann.enter("ann", link(chat[1], "quiet"))
            bob.enter("bob", link(chat[1], "quiet"))
            assert ann.js("return !document.getElementById('notify').hidden") == is_asked
            ann.js("isAway = true")
            bob.say(f"ann, {setting}")
            ann.wait("return document.title.startsWith('(1) ')")
            assert ann.js("return told") == []
    ann.named("button", "Notify me of messages").click()
    assert ann.js("return told") == ["asked"]


def test_unread_after_closing(chat, tabs, tmp_path):
    """What came while the page was closed is unread after joining again."""
    ann, bob = tabs
    ann.enter("una", link(chat[1], "away-a"))
    ann.named("button", "Join a room…").click()
    ann.named("textbox", "Room").send_keys("away-b\n")
    ann.wait("return document.title === 'away-b · chatd'")
    send_lines(chat, "writer", "away-b", ["seen"], tmp_path)
    ann.sees("seen")
    ann.wait("return Object.values(sessionStorage).some((each) => each.includes('away-b'))")
    ann.browser.get("about:blank")
    send_lines(chat, "writer", "away-b", ["one", "two"], tmp_path)
    bob.enter("bob", link(chat[1], "away-a"))
    bob.named("button", "Write to somebody…").click()
    bob.named("textbox", "To").send_keys("una\n")
    bob.say("psst")
    bob.wait("return document.querySelectorAll('[aria-label=confirmed]').length === 1")
    ann.enter("una", link(chat[1], "away-a"))
    badge = "return document.querySelector('#direct .badge')?.textContent"
    ann.wait(f"{badge} === '1 new'")
    ann.named("button", "Join a room…").click()
    ann.named("textbox", "Room").send_keys("away-b\n")
    ann.sees("two")
    ann.wait("return document.title === '(1) away-b · chatd'")
    new = "return document.querySelector('.new')?.parentNode.querySelector('.text').innerText"
    assert ann.js(new) == "one"


def test_operator(chat, tabs):
    """An operator kicks somebody with a reason, which both see."""
    olga, bob = tabs
    buttons = (
        "return [...document.querySelectorAll('#dialog-buttons button')].map(e => e.innerText)"
    )
    olga.enter("olga", link(chat[1], "kicking"))
    bob.enter("bob", link(chat[1], "kicking"))
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


def test_rooms(chat, tabs):
    """A person joins another room, sets its topic, and leaves it."""
    tab = tabs[0]
    tab.enter("rita", link(chat[1], "first"))
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


def test_slash(chat, tabs):
    """A command is not posted to everybody; what the page does not know, it asks about."""
    ann, bob = tabs
    ann.enter("ada", link(chat[1], "slash"))
    bob.enter("ben", link(chat[1], "slash"))
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


def test_leave_asks(chat, tabs):
    """`Leave` asks first if a message is begun or not sent, and is not the first Tab stop."""
    tab = tabs[0]
    tab.enter("ann", link(chat[1], "leaving"))
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
    tab.join("ann", key=chat[1].read_text().strip())
    tab.wait("return document.querySelectorAll('#people li').length")
    tab.say("back again")
    tab.wait("return document.querySelector('#log').innerText.includes('back again')")


def test_keyboard(chat, tabs):
    """The keyboard alone is enough: the focus begins where people write, and reaches all."""
    tab = tabs[0]
    tab.open(link(chat[1], "keys"))

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
    tab.wait("return document.querySelector('.row.pending').innerText.includes('waiting')")
    with daemon(*options, "--web", f"tcp:{port}:interface=127.0.0.1", endpoint=endpoint):
        tab.wait("return document.querySelectorAll('[aria-label=confirmed]').length === 2")
        texts = tab.js("return [...document.querySelectorAll('.text')].map(e => e.innerText)")
        assert texts == ["before", "while away"]
        assert tab.js("return document.getElementById('banner').innerText.trim()") == ""
    tab.browser.get("about:blank")


def test_accessibility(chat, tabs):
    """axe-core finds no violation: at the door, in the chat, in a dialog; light, dark, narrow."""
    if not AXE.exists():
        pytest.skip("needs axe-core: nox -s javascript, or npm ci in tests/web/page, brings it")
    axe = AXE.read_text("utf-8")

    def violations(tab):
        tab.js(axe)
        return tab.browser.execute_async_script(
            "axe.run().then((r) => arguments[0](r.violations.map("
            "(v) => [v.id, v.nodes.map((n) => n.html.slice(0, 200))])))"
        )

    for index, tab in enumerate(tabs):
        tab.open(link(chat[1], "axe"))
        assert violations(tab) == []
        tab.enter(f"ann{index}", link(chat[1], "axe"))
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
