"""The numbers in the pages' sentences equal those of the code, the options and the tables."""

from __future__ import annotations

import inspect
import re
from configparser import ConfigParser

from twisted.python.logfile import LogFile
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

import chatd
from bench.measures import MEASURES
from chatd import testing
from chatd.chat.access import MAX_INVITED, MAX_PRIVATE_ROOMS
from chatd.chat.away import MAX_AWAY
from chatd.chat.commits import MAX_BATCH
from chatd.chat.history import MAX_PAGE
from chatd.chat.names import GUEST, MAX_NAME, MAX_ROOM, MAX_TOPIC
from chatd.chat.rooms import MAX_ROOMS
from chatd.cli.batch import LASTING_WINDOW
from chatd.cli.links import PATIENCE_S, RETRY_POLICY
from chatd.client.backlog import MAX_UNCONFIRMED, READY_BELOW
from chatd.config.passwordhash import MAX_PASSWORD
from chatd.connection.keepalive import GATHERING_BYTES, SILENT_INTERVALS
from chatd.connection.limits import HANDSHAKE_TIMEOUT_S, MAX_UNESTABLISHED_FRAME
from chatd.daemon.process import SELECT
from chatd.daemon.service import HURRY_S
from chatd.daemon.tap import Options
from chatd.daemon.values import DAY_S
from chatd.server.accounts import MAX_CHECKS
from chatd.server.attempts import BURST, INTERVAL_S
from chatd.server.factory import GRACE_S, HEARTBEAT_S
from chatd.server.limits import Limits
from chatd.server.pacedprotocol import SHORT_BYTES
from chatd.server.sessionlog import MAX_LOGGED_CODE, MAX_LOGGED_REASON
from chatd.server.sessionprotocol import EARLY_BYTES
from chatd.server.throttle import BURST_S
from chatd.server.turnbudget import MOST_S as TURN_S
from chatd.storage.memory import MEMORY_RETENTION
from chatd.storage.memorystream import MESSAGE_BYTES
from chatd.storage.sqlite.database import BUSY_TIMEOUT_S
from chatd.storage.sqlite.inserts import SIZES
from chatd.storage.sqlite.store import SQLITE_RETENTION
from chatd.transport.closing import CLOSE_TIMEOUT_S
from chatd.transport.heartbeat import SLOTS
from chatd.transport.lifecycle import READ_BYTES
from tests.docs.pages import ROOT, block, first_cells, page, section
from tests.integration.onpage import read_unit

WORDS = {2: "two", 3: "three", 5: "5", 6: "six", 10: "ten"}
LIMITS = Limits()
ROTATED_AT = inspect.signature(LogFile).parameters["rotateLength"].default
README = "README.md"
PERFORMANCE = "docs/explanation/performance.md"
FAST = "docs/explanation/what-made-it-fast.md"
DAEMON = "docs/reference/daemon.md"
BOUNDS = "docs/reference/bounds.md"
LEAST_S, MOST_S = 1.0, 30.0
"""Shortest and longest pause before an attempt to reconnect, without its random part."""
CLIENT = "docs/reference/client.md"
PROTOCOL = "docs/reference/protocol.md"
SYSTEMD = "docs/how-to/systemd.md"
TERMINAL = "docs/reference/terminal.md"

SENTENCES = [
    (README, f"by default after {SQLITE_RETENTION.max_age_s / DAY_S:g} days"),
    (README, f"when a room has more than {SQLITE_RETENTION.max_messages:,}"),
    (README, f"up to {LIMITS.max_sessions:,} sessions by default, if there are as many file"),
    (PERFORMANCE, f"The default bound is {LIMITS.max_sessions:,} sessions"),
    (FAST, f"after {MAX_BATCH:,} messages"),
    (FAST, f"Reading {READ_BYTES // 1024} KiB at a time"),
    ("docs/explanation/design.md", f"in one transaction, {MAX_BATCH:,} at most"),
    ("docs/explanation/design.md", f"{WORDS[SILENT_INTERVALS].title()} silent intervals end"),
    ("docs/explanation/delivery.md", f"the same, after {WORDS[int(BUSY_TIMEOUT_S)]} seconds"),
    ("docs/explanation/delivery.md", f"A message counts {MESSAGE_BYTES:,} bytes in addition"),
    (DAEMON, f"{WORDS[SILENT_INTERVALS]} silent intervals end a session"),
    (DAEMON, "gives the store one second" if HURRY_S == 1 else ""),
    (BOUNDS, f"before the session, without TLS and `haproxy:` | {EARLY_BYTES // 1024} KiB |"),
    (BOUNDS, f"for reads of more than {SHORT_BYTES // 1024} KiB; with TLS, each record is a read"),
    (BOUNDS, f"each record is a read | {1000 * TURN_S:g} ms, and the read that"),
    (BOUNDS, f"it may wait, as other reads of more than {SHORT_BYTES // 1024} KiB"),
    ("docs/explanation/design.md", f"when reads of more than {SHORT_BYTES // 1024} KiB"),
    ("docs/explanation/design.md", f"have taken {1000 * TURN_S:g} ms of a turn"),
    (BOUNDS, f"does not read that within {CLOSE_TIMEOUT_S:g} seconds"),
    (BOUNDS, f"a burst may hold {WORDS[int(BURST_S)]} seconds' worth"),
    (BOUNDS, f"reading pauses for up to {BURST_S:g} s"),
    (BOUNDS, f"With `twistd --reactor select` there are at most {SELECT:,}"),
    (CLIENT, f"1 to {MAX_NAME} characters without spaces"),
    (CLIENT, f"At most {LASTING_WINDOW} lines wait for their confirmation"),
    (CLIENT, f"a room in memory keeps {MEMORY_RETENTION.max_messages:,} messages by default"),
    (CLIENT, f"confirmed none for {WORDS[PATIENCE_S // 60]} minutes"),
    (CLIENT, f"connects again after {LEAST_S:g} to {MOST_S + 1:g} seconds"),
    (TERMINAL, f"shows the last N messages, 1 to {MAX_PAGE}, of"),
    (TERMINAL, f"with a text of up to {MAX_AWAY} characters"),
    ("docs/explanation/delivery.md", f"keeps up to {MAX_UNCONFIRMED:,} messages to send"),
    ("docs/explanation/delivery.md", f"while fewer than {READY_BELOW:,} are unconfirmed"),
    ("docs/reference/log.md", f"A name is cut after {MAX_NAME} characters"),
    ("docs/reference/log.md", f"a reason after {MAX_LOGGED_REASON}"),
    ("docs/reference/log.md", f"not up to {MAX_LOGGED_CODE} lower-case letters"),
    (PROTOCOL, f"frames of up to {MAX_UNESTABLISHED_FRAME // 1024} KiB"),
    (PROTOCOL, f"within {HANDSHAKE_TIMEOUT_S:g} seconds of the connection"),
    (PROTOCOL, f"A name has 1 to {MAX_NAME} characters in Unicode's"),
    (PROTOCOL, f"Its name has 1 to {MAX_ROOM} characters"),
    (PROTOCOL, f"A session is in {MAX_ROOMS} rooms at most"),
    (PROTOCOL, f"sets the topic if you give `topic`, up to {MAX_TOPIC} characters"),
    (PROTOCOL, f"{MAX_PASSWORD:,} bytes of UTF-8"),
    (PROTOCOL, f"each further {GATHERING_BYTES // 1024} KiB of a frame"),
    (PROTOCOL, f"the session is in {MAX_ROOMS} rooms"),
    (PROTOCOL, f"{MAX_PRIVATE_ROOMS:,} private rooms, or {MAX_INVITED} names"),
    (PROTOCOL, f"there was no welcome within {HANDSHAKE_TIMEOUT_S:g} seconds"),
    (PROTOCOL, f"closes or {CLOSE_TIMEOUT_S:g} seconds are over"),
    ("docs/reference/codes.md", f"{WORDS[SILENT_INTERVALS]} heartbeat intervals were silent"),
    ("docs/how-to/accounts.md", f"may try {WORDS[BURST]} wrong passwords at once"),
    ("docs/how-to/accounts.md", f"one more every {WORDS[int(INTERVAL_S)]} seconds"),
    ("docs/how-to/accounts.md", f"checks {WORDS[MAX_CHECKS]} passwords at a time"),
    ("docs/how-to/accounts.md", f"Their names begin with `{GUEST}`"),
    ("docs/how-to/containers.md", f"twice chatd's `--grace`, which is {GRACE_S:g}"),
    ("docs/how-to/log-rotation.md", f"when it reaches {ROTATED_AT:,} bytes"),
    ("docs/how-to/proxies.md", f"one each {HEARTBEAT_S:g} seconds (`--heartbeat`)"),
    ("docs/how-to/proxies.md", f"must be longer than {WORDS[SILENT_INTERVALS]} of them"),
    ("docs/how-to/ssh.md", f"after {WORDS[SILENT_INTERVALS]} silent heartbeats"),
    (
        "docs/explanation/security.md",
        f"A connection without a session ends after {LIMITS.handshake_timeout_s:g} seconds",
    ),
    (SYSTEMD, f"{LIMITS.max_sessions} sessions, {LIMITS.max_unestablished} connections"),
    (SYSTEMD, f"as long again to close its store: {2 * GRACE_S:g} by default"),
    ("SECURITY.md", "(`chatd --version`)"),
]
"""Sentences, each on its page, with the numbers of the code."""

RANGES = [
    ("heartbeat", "0.01", "86400"),
    ("grace", "0", "3600"),
    ("handshake-timeout", "0.01", "3600"),
    ("max-content", "4", None),
    ("max-first-frame", "512", None),
]
"""Options with the least and the greatest value that the tables give."""


def words_of(name: str) -> str:
    """Return a page with single spaces between all words."""
    return " ".join(page(name).split())


def rates() -> dict[str, list[float]]:
    """Return the rows of the table of deliveries, by the server's name."""
    text = page(PERFORMANCE).split("Millions of deliveries")[1].split("One message at a time")[0]
    rows = re.findall(r"^\| ([\w, ]+?) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", text, re.MULTILINE)
    return {name: [float(figure) for figure in figures] for name, *figures in rows}


class SentenceTests(SynchronousTestCase):
    """Sentences with numbers that the code defines."""

    def test_pauses(self) -> None:
        """The pauses before attempts to reconnect are between those on the page of the client."""
        for attempt, least in ((0, LEAST_S), (1_000, MOST_S)):
            for _ in range(100):  # the policy adds a random part of a second
                self.assertTrue(least <= RETRY_POLICY(attempt) <= least + 1)

    def test_numbers(self) -> None:
        """Each sentence is on its page, with the number of the code."""
        for name, sentence in SENTENCES:
            self.assertTrue(sentence)
            self.assertIn(sentence, words_of(name), name)

    def test_ranges(self) -> None:
        """Each option takes the least and the greatest value of its row, and no other."""
        pages = words_of(DAEMON) + words_of(BOUNDS)
        for name, least, greatest in RANGES:
            said = f"{least} to {greatest}" if greatest else f"{least} "
            (row,) = re.findall(rf"\| `--{name} .*?\|.*?\|", pages)
            self.assertIn(said, row)
            for value in filter(None, (least, greatest)):
                Options().parseOptions([f"--{name}", value])
            below = "-1" if least == "0" else str(float(least) / 2)
            for value in (below, f"{greatest}1" if greatest else below):
                with self.assertRaises(UsageError, msg=f"{name} {value}"):
                    Options().parseOptions([f"--{name}", value])

    def test_descriptors(self) -> None:
        """The service's file descriptors are enough for the default bounds."""
        service = read_unit(block(SYSTEMD, "LimitNOFILE=65536"))["Service"]
        needed = LIMITS.max_sessions + LIMITS.max_unestablished
        self.assertGreater(int(service["LimitNOFILE"]), needed)

    def test_coverage(self) -> None:
        """CONTRIBUTING.md gives the bound on coverage of the configuration."""
        config = ConfigParser()
        config.read(ROOT / "setup.cfg")
        bound = config["coverage:report"]["fail_under"]
        self.assertIn(
            f"which branches the tests reach, {bound} % at least", words_of("CONTRIBUTING.md")
        )

    def test_methods(self) -> None:
        """The commands that the page on bots lists are methods of the client."""
        (listed,) = re.findall(
            r"a method for each command, such as (.*?);", words_of("docs/tour/first-bot.md")
        )
        self.assertIn("`join`", listed)
        for name in re.findall(r"`(\w+)`", listed):
            self.assertTrue(inspect.isfunction(getattr(chatd.ChatClient, name)), name)

    def test_names(self) -> None:
        """The methods and arguments that the pages on services list exist."""
        calls = " ".join(first_cells(page("docs/how-to/test-your-service.md")))
        found = re.findall(r"`(\w+)\(", calls)
        self.assertIn("pump", found)
        for name in found:
            self.assertTrue(callable(getattr(testing.MemoryServer, name)), name)
        text = section(page("docs/tour/own-service.md"), "Keys, data and limits")
        arguments = {name.strip("`") for name in first_cells(text)}
        self.assertIn("store", arguments)
        self.assertLessEqual(arguments, set(inspect.signature(chatd.ChatFactory).parameters))
        self.assertLessEqual(set(re.findall(r"\bchatd\.(\w+)", text)), set(chatd.__all__))
        options = {name.rstrip("=") for name in Options().longOpt}
        self.assertLessEqual(set(re.findall(r"`--([\w-]+)`", text)), options)
        for name in ("established", "ended", "reply", "send"):
            self.assertTrue(callable(getattr(chatd.Session, name)), name)


class PerformanceTests(SynchronousTestCase):
    """Sentences about figures agree with the tables of figures."""

    def test_ratios(self) -> None:
        """The first paragraphs' comparison with the peers follows from the table."""
        table, text = rates(), words_of(PERFORMANCE)
        own = table["chatd"]
        others = {name: rate for name, rate in table.items() if not name.startswith("chatd")}
        best = max(others, key=lambda name: others[name][2])
        times = own[2] / others[best][2]
        self.assertGreater(times, 1)
        self.assertIn(f"{times:.2f} times as many as {best}, the best of them", text)
        ratios = [others[name][1] / own[1] for name in ("NATS", "Redis", "InspIRCd")]
        span = f"{min(ratios):.1f} to {max(ratios):.1f} times faster"
        self.assertIn(f"To ten members, NATS, Redis and InspIRCd were {span}", text)
        nats, redis, inspircd = (others[n][0] / own[0] for n in ("NATS", "Redis", "InspIRCd"))
        self.assertIn(
            f"To one, NATS was {nats:.1f} times faster, Redis {redis:.1f} and InspIRCd "
            f"{inspircd:.1f}",
            text,
        )

    def test_aims(self) -> None:
        """The table of aims has exactly the missed aims in bold."""
        rows = re.findall(r"\| ([≥≤]) ([\d.]+) \| (\**)([\d.]+)\**", page(PERFORMANCE))
        self.assertGreater(len(rows), 10)
        for sign, aim, bold, reached in rows:
            is_met = float(reached) >= float(aim) if sign == "≥" else float(reached) <= float(aim)
            self.assertEqual(is_met, not bold, f"{sign} {aim}: {reached}")

    def test_reports(self) -> None:
        """Each part with figures names its day and its machine, and only measures that exist."""
        text = page(PERFORMANCE)
        both = text + page(FAST)
        parts = [each.split("\n# ")[0] for each in re.split("^## ", both, flags=re.MULTILINE)[1:]]
        reported = {each.partition("\n")[0]: " ".join(each.split()) for each in parts}
        del reported["How many users?"]  # its figures are those of other parts: `test_summary`
        del reported["How it measures"]  # it has no results
        for title, part in reported.items():
            self.assertRegex(part, r"Measured (on|from \d+ to) \d+ November 2026[ ,]", title)
            self.assertRegex(
                part, r"on (the same machine|the machine of this line|an Intel Xeon)", title
            )
        self.assertIn("\nMachine: ", text)
        commands = re.findall("`python -m bench([^`]*)`", " ".join(reported.values()))
        self.assertGreater(len(commands), 3)
        for command in commands:
            self.assertLessEqual(set(command.split()), set(MEASURES), command)

    def test_summary(self) -> None:
        """The figures of the summary are those of the parts below it."""
        text = words_of(PERFORMANCE)
        (share,) = re.findall("heartbeat every 5 s take ([\\d.]+ %) of a core", text)
        (longest,) = re.findall(
            r"beside them takes [\d.]+ ms \(p99\) and ([\d.]+) ms at the longest", text
        )
        (joined,) = re.findall("all were welcomed within ([\\d.]+ s)", text)
        summary = " ".join(section(page(PERFORMANCE), "How many users?").split())
        self.assertIn(f"with their heartbeats, {share} of a core", summary)
        self.assertIn(f"took at most {float(longest):.0f} ms", summary)
        self.assertIn(f"were all in after {joined}", summary)

    def test_reached(self) -> None:
        """The results beside the aims follow from the tables above them."""
        table, text = rates(), words_of(PERFORMANCE)
        reached = dict(re.findall(r"\| ([^|]+) \| [≥≤] [\d.]+ \| \**([\d.]+)\** \|", text))
        for number, members in enumerate((1, 10, 100)):
            for name, rate in table.items():
                for own in ("chatd", "chatd, Python"):
                    said = reached.get(f"to {members}, {own} beside {name}")
                    if said is not None:
                        ratio = table[own][number] / rate[number]
                        self.assertApproximates(float(said), ratio, 0.03)
        best = max(rate[2] for name, rate in table.items() if not name.startswith("chatd"))
        said = float(reached["to 100, chatd beside the best of them"])
        self.assertApproximates(said, table["chatd"][2] / best, 0.01)
        rows = re.findall(
            r"\| (chatd|chatd, no key|floor) \| ([\d.]+) \| ([\d.]+) \| [\d.]+ \|", text
        )
        waits = {name: figures for name, *figures in rows if float(figures[0]) > 50}
        for place, which in enumerate(("p50", "p99")):
            for name in ("chatd", "chatd, no key"):
                ratio = float(waits[name][place]) / float(waits["floor"][place])
                said = float(reached[f"one at a time: {which}, {name} beside floor"])
                self.assertApproximates(said, ratio, 0.015)

    def test_steps(self) -> None:
        """The numbers of the steps that made chatd fast are those of the code."""
        text = page(FAST)
        self.assertEqual((SIZES[-1], SLOTS, MAX_BATCH), (512, 100, 1000))
        self.assertIn("Up to 512 messages of", text)
        self.assertIn("*A hundred slots for the heartbeats of an interval,*", text)
        self.assertIn("*Turns that end early,* after 1,000 messages", text)

    def test_login(self) -> None:
        """The cost of a login is that of the table, and higher than with any of the peers."""
        text = (
            page(PERFORMANCE).split("| login, ms of the server's CPU |")[1].split("What a del")[0]
        )
        costs = dict(re.findall(r"^\| ([\w, ]+?) \| [\d.]+ \| ([\d.]+) \|$", text, re.MULTILINE))
        self.assertIn(f"A login cost {float(costs['chatd']):.2f} ms of CPU", words_of(PERFORMANCE))
        for name in ("NATS", "Redis", "InspIRCd", "ngIRCd", "Mosquitto"):
            self.assertGreater(float(costs["chatd"]), float(costs[name]), name)

    def test_idle_sessions(self) -> None:
        """The memory of 10,000 sessions follows from that of each of them."""
        text = words_of(PERFORMANCE)
        (each,) = re.findall(r"10,000 idle sessions .*? and ([\d.]+) KiB each", text)
        (total,) = re.findall(r"10,000 idle sessions took (\d+) MiB", text)
        self.assertEqual(int(total), round(float(each) * 10_000 / 1024))
        self.assertIn(f"An idle session took {float(each):.1f} KiB", words_of(README))

    def test_readme(self) -> None:
        """README's rate is that of the table: messages to a room of 100, and deliveries."""
        deliveries = rates()["chatd"][2]
        text = section(page(README), "Is it for you?")
        self.assertIn(f"{int(deliveries)} million deliveries", text)
        self.assertIn(
            f"a room of 100 members took {int(deliveries) * 10_000:,} messages a second", text
        )
