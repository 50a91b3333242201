"""The log of the page in Chromium: what others say, history, and where the reader is."""

from __future__ import annotations

import time

import pytest

from tests.integration.processes import DEADLINE_S

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


def test_hostile(page, tabs, tmp_path):
    """Whatever a peer says is shown as text: no markup, no script, nothing beyond its row."""
    ann = tabs[0]
    name = "<b>x&amp;</b>"
    page.send_lines(name, "hostile", HOSTILE, tmp_path)
    ann.enter("ann", page.link("hostile"))
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


def test_policy(page, tabs):
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


def test_history_and_window(page, tabs, tmp_path):
    """Scrolling up brings all that the server keeps, once; few rows are in the document."""
    lines = [f"line {number}" for number in range(1, 1501)]
    page.send_lines("writer", "long", lines, tmp_path)
    tab = tabs[0]
    tab.enter("ann", page.link("long"))
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


def test_end(page, tabs, tmp_path):
    """A reader at the end stays there while messages come and the field for a message grows."""
    page.send_lines("writer", "ending", [f"line {number}" for number in range(60)], tmp_path)
    ann, bob = tabs
    ann.enter("ann", page.link("ending"))
    bob.enter("bob", page.link("ending"))
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


def test_large_room(page, tabs):
    """A log of 100,000 messages scrolls: only a window of it is in the document."""
    tab = tabs[0]
    tab.open()
    found = tab.run_module(
        """
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
        log = new Log(element, acts, { draw, older: none });
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
        return [most, all.size, isWithoutGap, texts().at(-1)];
        """
    )
    most, size, is_without_gap, last = found
    assert (most, is_without_gap, last) == (200, True, "m100000")
    assert size > 1000
