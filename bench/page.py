"""``python -m bench.page``: measure the page in Chromium, with a daemon on loopback.

It measures two times. The first is from the navigation to a joined room, with a key and an empty
cache. The second is from the press of a key to the frame that shows the character, in a quiet room
and in a room with many messages a second.
"""

from __future__ import annotations

import argparse
import base64
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from bench.peers import PEERS, Server
from bench.probe import Summary, summarize
from bench.report import machine

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

__all__ = ["main", "missing_tools"]

ROOM = "lobby"
STALL_S = 30.0
"""Limit on each wait for the page, in seconds."""
KEY_INTERVAL_S = 0.1
"""Time from one key to the next, in seconds."""
TICK_S = 0.02
"""Time from one batch of messages to the next, in seconds."""
_SWITCHES = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1200,900")

_JOIN = """
addEventListener("load", () => {
  if (document.getElementById("chat") === null) return; // the blank page before
  document.getElementById("name").value = "reader";
  const form = document.getElementById("name").form;
  globalThis.loaded = performance.now();
  form.requestSubmit();
  const look = () => {
    const isIn = !document.getElementById("chat").hidden;
    if (isIn && document.querySelector("#people li")) globalThis.joined = performance.now();
    else requestAnimationFrame(look);
  };
  look();
});
"""
"""Joins as soon as the page is loaded. `performance.now` counts from the navigation."""
_WATCH_KEYS = """
globalThis.frames = [];
const { port1, port2 } = new MessageChannel();
port1.onmessage = ({ data }) => frames.push(performance.now() - data);
document.getElementById("message").addEventListener("keydown", ({ timeStamp }) => {
  requestAnimationFrame(() => port2.postMessage(timeStamp)); // arrives after the frame
});
document.getElementById("message").focus();
"""


def missing_tools() -> str | None:
    """Return what is missing to run Chromium, or None."""
    if importlib.util.find_spec("selenium") is None:
        return "Selenium, of chatd's extra test"
    for name, package in (("chromium", "chromium"), ("chromedriver", "chromium-driver")):
        if shutil.which(name) is None:
            return f"the program {name}, of Debian's package {package}"
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the times.

    Returns:
        0; 1 if Chromium is missing.
    """
    options = _parse(arguments)
    if (missing := missing_tools()) is not None:
        print(f"the page is not measured: it needs {missing}", file=sys.stderr)
        return 1
    print("milliseconds                      count     p50     p99  longest")
    with ExitStack() as ends:
        work = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="chatd-")))
        server = ends.enter_context(PEERS["chatd-web"].start(work))
        browser = ends.enter_context(_chromium())
        times = [_load(browser, _link(server)) for _ in range(options.loads)]
        _print("navigation to loaded page", [loaded for loaded, _ in times])
        _print("navigation to joined room", [joined for _, joined in times])
        browser.execute_script(_WATCH_KEYS)
        _print("key to frame, quiet room", _type(browser, options.keys))
        with _crowd(server, options.rate) as sent:
            _wait(browser, "document.querySelectorAll('#log .text').length >= 10")
            busy = _type(browser, options.keys)
        _print(f"key to frame, {options.rate} messages/s", busy)
        _wait(browser, f"document.getElementById('log').innerText.includes('message {sent[-1]}.')")
    print(f"\n{machine()}")
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.page", description="Measure the page in Chromium, on loopback."
    )
    for name, value, text in (
        ("--loads", 20, "number of times that the page is loaded"),
        ("--keys", 200, "number of keys that are pressed in each room"),
        ("--rate", 500, "messages a second in the busy room"),
    ):
        parser.add_argument(name, type=int, default=value, metavar="N", help=f"{text}; {value}")
    options = parser.parse_args(arguments)
    if min(vars(options).values()) < 1:
        parser.error("each number is at least 1")
    return options


def _print(title: str, times_ms: Sequence[float]) -> None:
    found: Summary = summarize([each / 1e3 for each in times_ms])
    figures = f"{found.count:5} {found.p50:7.1f} {found.p99:7.1f} {found.longest:8.1f}"
    print(f"{title:33} {figures}", flush=True)


def _link(server: Server) -> str:
    assert server.key is not None
    key = base64.urlsafe_b64encode(server.key).decode().rstrip("=")
    return f"http://{server.host}:{server.port}/#key={key}&room={ROOM}"


@contextmanager
def _chromium() -> Iterator[Chrome]:
    from selenium import webdriver  # it is not everywhere

    wanted = webdriver.ChromeOptions()
    wanted.binary_location = str(shutil.which("chromium"))
    for each in _SWITCHES:
        wanted.add_argument(each)
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    browser = webdriver.Chrome(options=wanted, service=service)
    try:
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _JOIN})
        yield browser
    finally:
        browser.quit()


def _load(browser: Chrome, link: str) -> tuple[float, float]:
    """Load the page and join; return the times of both since the navigation, in milliseconds."""
    browser.get("about:blank")
    browser.execute_cdp_cmd("Network.clearBrowserCache", {})
    browser.get(link)
    _wait(browser, "globalThis.joined")
    loaded, joined = browser.execute_script("return [loaded, joined]")
    return loaded, joined


def _wait(browser: Chrome, condition: str) -> None:
    """Wait until JavaScript is true in the page."""
    end = time.monotonic() + STALL_S
    while not browser.execute_script(f"return !!({condition})"):
        if time.monotonic() > end:
            shown = browser.execute_script("return document.body.innerText.slice(0, 500)")
            raise TimeoutError(f"not within {STALL_S:g} s: {condition}; the page shows: {shown}")
        time.sleep(0.02)


def _type(browser: Chrome, count: int) -> list[float]:
    """Press keys; return the time from each to its frame, in milliseconds."""
    browser.execute_script("frames.length = 0")
    key: dict[str, Any] = {"type": "keyDown", "key": "a", "code": "KeyA", "text": "a"}
    begun = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, begun + number * KEY_INTERVAL_S - time.monotonic()))
        browser.execute_cdp_cmd("Input.dispatchKeyEvent", key)
        browser.execute_cdp_cmd("Input.dispatchKeyEvent", {**key, "type": "keyUp"})
    _wait(browser, f"frames.length >= {count}")
    times: list[float] = browser.execute_script("return frames")
    return times


@contextmanager
def _crowd(server: Server, rate: int) -> Iterator[list[int]]:
    """Send messages into the room at a rate, within the context; return their numbers."""
    command = [sys.executable, "-m", "chatd", "connect", f"ws://{server.host}:{server.port}/ws"]
    command += ["--key-file", str(server.work / "key"), "--name", "crowd", "--room", ROOM]
    sent = [0]
    is_over = Event()
    with subprocess.Popen([*command, "--quiet"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        pipe = process.stdin

        def send() -> None:
            begun = time.monotonic()
            while not is_over.wait(TICK_S):
                due = range(sent[-1] + 1, int((time.monotonic() - begun) * rate) + 1)
                pipe.write(b"".join(b"message %d.\n" % number for number in due))
                pipe.flush()
                sent.extend(due)

        sender = Thread(target=send, daemon=True)
        sender.start()
        try:
            yield sent
        finally:
            is_over.set()
            sender.join()
            pipe.close()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped")
