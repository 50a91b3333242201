"""What the page in Chromium shows while the server cannot store messages."""

from __future__ import annotations

import resource
from contextlib import contextmanager

from tests.integration.page import Tab
from tests.integration.processes import daemon

SPY = """
globalThis.delays = [];
const { setTimeout: realTimer } = globalThis;
globalThis.setTimeout = (call, ms) => {
  delays.push(ms);
  if (ms === 60_000) globalThis.endPatience = call;
  return realTimer(call, ms);
};
"""
"""Records how long the page waits for what, and lets the patience of the library end early."""
TWICE_REFUSED = "return delays.includes(2000)"
"""Whether the library has tried a refused message again, and waits for the next attempt."""
PENDING = "return document.querySelector('.row.pending')?.innerText ?? ''"
CONFIRMED = "return document.querySelectorAll('[aria-label=confirmed]').length === arguments[0]"


@contextmanager
def failing_store(process):
    """Let a daemon write no file within the context."""
    for_ever = resource.RLIM_INFINITY
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, for_ever))
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (for_ever, for_ever))


def test_store_that_fails(tmp_path, browsers):
    """A message waits while the store fails; then it is confirmed, or refused after a minute."""
    options = ("--data", tmp_path / "data", "--web", "tcp:0:interface=127.0.0.1")
    with daemon(*options, endpoint=f"unix:{tmp_path}/socket") as process:
        port = process.output.wait_for(r"WebFront starting on (\d+)")[1]
        tab = Tab(browsers[0], f"http://127.0.0.1:{port}/")
        tab.enter("ann")
        tab.js(SPY)
        tab.say("before")
        tab.wait(CONFIRMED, 1)
        with failing_store(process):
            tab.say("held")
            tab.say("behind it")
            tab.wait(TWICE_REFUSED)
            assert "waiting…" in tab.js(PENDING)
            assert "Not sent" not in tab.js("return document.getElementById('log').innerText")
        tab.wait(CONFIRMED, 3)
        texts = tab.js("return [...document.querySelectorAll('.text')].map(e => e.innerText)")
        assert texts == ["before", "held", "behind it"]

        tab.js("delays.length = 0")
        with failing_store(process):
            tab.say("too late")
            tab.wait(TWICE_REFUSED)
            assert "waiting…" in tab.js(PENDING)
            tab.js("endPatience()")
            tab.sees("Not sent. The server cannot store messages now.")
            assert "waiting…" not in tab.js(PENDING)
        tab.named("button", "Send again").click()
        tab.wait(CONFIRMED, 4)
        assert tab.js(PENDING) == ""
        tab.browser.get("about:blank")
