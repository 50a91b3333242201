"""The interactive client, with typed keys and shown lines in memory."""

import os
import re
import signal
import time
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError

from chatd import ChatFactory, ConfigurationError, RequestError, SessionRefused
from chatd.cli import commands, terminal
from chatd.cli.cutting import MAX_ROWS
from chatd.cli.interrupting import HESITATION_S
from chatd.cli.login import Login
from chatd.cli.places import Place
from chatd.cli.status import Status
from chatd.cli.terminal import Terminal
from tests.cli.conversation import (
    ALT_ENTER,
    CTRL_C,
    CTRL_D,
    CTRL_L,
    CTRL_R,
    CTRL_U,
    CTRL_Y,
    CTRL_Z,
    DOWN,
    ENTER,
    HOME,
    LEFT,
    SHIFT_TAB,
    TAB,
    UP,
    TerminalCase,
    alt,
)
from tests.cli.talking import Talker
from tests.cli.wiring import CommandReactor, said


class Strict(ChatFactory):
    """A server that refuses every message."""

    def message_received(self, session, message):
        raise RequestError("not-allowed", "not that")


class Silent(ChatFactory):
    """A server that receives messages, and never answers."""

    def message_received(self, session, message):
        return Deferred()


class TypingTests(TerminalCase):
    def test_say(self):
        """The client sends a line, and shows it when the server has received it."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("hello there" + ENTER)
            await it.shown("alice: hello there")
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)
        self.assertEqual(self.sessions(), {})

    def test_hear(self):
        """The client shows messages from the server, and keeps the typed line."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("half")
            self.reactor.server.send_to_room("lobby", "to all")
            await it.shown("server: to all")
            it.type(" and half" + ENTER)
            await it.shown("alice: half and half")
            it.type(CTRL_D)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_kicked_elsewhere(self):
        """One line tells of a person who leaves several rooms at once."""
        self.patch(terminal, "_GATHER_S", 0)  # the server's time stands still
        rooms = ("lobby", "ops")

        async def script(it):
            await it.shown("* you are alice, in lobby, ops")
            Talker(self.reactor, "bob", *rooms)
            await it.shown("* bob joined lobby and ops")
            self.sessions()["bob"].end("kicked", "enough")
            await it.shown("* bob left lobby and ops")
            it.type(CTRL_D)

        self.assertEqual(self.converse(script, rooms=rooms), Status.DONE)

    def test_hear_elsewhere(self):
        """The display learns which messages `/history` shows: those of the current place."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            is_here = it.terminal._talk.display._is_here
            of_server = said("three", sender="server", room=None)
            self.assertTrue(is_here(said("one"), "alice"))
            self.assertFalse(is_here(of_server, "alice"))
            it.type("/query bob" + ENTER)
            await it.until(lambda: it.terminal._talk.whereabouts.companion == "bob")
            self.assertFalse(is_here(said("two"), "alice"))
            it.type(CTRL_D)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_narrow(self):
        """A long line breaks between words, at the width that the terminal has then."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.resize(30)
            self.reactor.server.send_to_room("lobby", "one two three four")
            await it.until(lambda: " server: one two three\n              four\n" in it.screen)
            it.resize(40)
            self.reactor.server.send_to_room("lobby", "one two three four")
            await it.until(lambda: " server: one two three four\n" in it.screen)
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_dumb_terminal_is_not_narrow(self):
        """A dumb terminal breaks long lines itself."""
        self.patch(os, "environ", {**os.environ, "TERM": "dumb"})

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.resize(30)
            self.reactor.server.send_to_room("lobby", "one two three four")
            await it.shown("server: one two three four")
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_hear_at_a_dumb_terminal(self):
        """A dumb terminal shows messages on lines of their own, and the typed line after them."""
        self.patch(os, "environ", {**os.environ, "TERM": "dumb"})

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("half")
            await it.until(lambda: it.screen.endswith("> half"))
            self.reactor.server.send_to_room("lobby", "to all")
            heard = re.compile(r"> half\r\n-- .* --\r\n\d\d:\d\d server: to all\r\n> half\Z")
            await it.until(lambda: heard.search(it.screen))
            it.type(CTRL_C + "exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_choices(self):
        """The Tab key lists several choices in place of the status line, until another key."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("/un" + TAB)
            await it.until(lambda: it.toolbar == " [/unignore] /unban /uninvite")
            it.type("x")
            await it.until(lambda: "1:lobby" in it.toolbar)
            it.type(CTRL_C + "exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_choices_at_a_dumb_terminal(self):
        """A dumb terminal lists them on a line, at the first press alone."""
        self.patch(os, "environ", {**os.environ, "TERM": "dumb"})

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("/un" + TAB)
            await it.until(
                lambda: it.screen.endswith("[/unignore] /unban /uninvite\r\n> /unignore ")
            )
            it.type(TAB)
            await it.until(lambda: it.screen.endswith("> /unban "))
            self.assertEqual(it.screen.count("uninvite"), 1)
            it.type(CTRL_C + "exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_clear(self):
        """`/clear` clears the screen; a dumb terminal cannot do that."""
        for kind, note in (("xterm", None), ("dumb", "* this terminal cannot be cleared")):
            self.patch(os, "environ", {**os.environ, "TERM": kind})

            async def script(it, note=note):
                await it.shown("* you are alice, in lobby")
                it.type("/clear" + ENTER)
                await (it.until(lambda: it.is_cleared) if note is None else it.shown(note))
                it.type("exit" + ENTER)

            self.assertEqual(self.converse(script), Status.DONE)

    def test_cleared_lines(self):
        """After `/clear` or Ctrl+L, going to the place shows its last messages again."""
        for keys in ("/clear" + ENTER, CTRL_L):

            async def script(it, keys=keys):
                await it.shown("* you are alice, in lobby")
                it.type("hello" + ENTER)
                await it.shown("alice: hello")
                it.type("/goto lobby" + ENTER)
                await it.shown("* your lines go to lobby now")
                self.assertNotIn("| alice: hello", it.lines)
                it.type(keys)
                await it.until(lambda: it.is_cleared)
                it.type("/goto lobby" + ENTER)
                await it.shown("| alice: hello")
                it.type("exit" + ENTER)

            self.assertEqual(self.converse(script), Status.DONE)
            self.clear_screen()
            self.reactor.restart(store=None)

    def test_nothing_typed(self):
        """The client does not send a line of spaces."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("  ")
            await it.until(lambda: it.typed)
            it.type(ENTER)
            await it.until(lambda: not it.typed)
            it.type("something" + ENTER)
            await it.shown("alice: something")
            self.assertEqual(self.reactor.server.hub.roster.rooms["lobby"].seq, 1)
            it.type(" exit " + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_interrupt(self):
        """Ctrl+C clears a half-typed line; at an empty line it leaves with its own status."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("half a line" + CTRL_C)
            await it.until(lambda: not it.typed)
            it.type("a line" + ENTER)
            await it.shown("alice: a line")
            it.type(CTRL_C)

        self.assertEqual(self.converse(script), Status.INTERRUPTED)
        self.assertEqual(self.sessions(), {})

    async def cancel(self, it):
        """Type half a line, and clear it with Ctrl+C."""
        it.type("half")
        await it.until(lambda: it.typed)
        it.type(CTRL_C)
        await it.until(lambda: not it.typed)

    def test_interrupt_too_often(self):
        """Shortly after a Ctrl+C that cancelled something, another one only tells how to leave."""
        told = "* press Ctrl+C again to quit"

        async def script(it):
            await it.shown("* you are alice, in lobby")
            await self.cancel(it)
            self.reactor.advance(HESITATION_S - 0.1)
            it.type(CTRL_C)
            await it.shown(told)
            it.type(CTRL_R)
            await it.until(lambda: it.is_searching)
            it.type(CTRL_C)
            await it.until(lambda: not it.is_searching)
            it.type(CTRL_C)
            await it.until(lambda: it.lines.count(told) == 2)
            await self.cancel(it)
            self.reactor.advance(HESITATION_S)
            it.type(CTRL_C)

        self.assertEqual(self.converse(script), Status.INTERRUPTED)

    def test_interrupted_twice(self):
        """After that, Ctrl+C leaves."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            await self.cancel(it)
            it.type(CTRL_C)
            await it.shown("* press Ctrl+C again to quit")
            it.type(CTRL_C)

        self.assertEqual(self.converse(script), Status.INTERRUPTED)

    def test_interrupted_line(self):
        """The Up key brings back a line that Ctrl+C cleared."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            await self.cancel(it)
            buffer = it.terminal._prompt._session.default_buffer
            await it.until(lambda: len(buffer._working_lines) > 1)  # the next drawing loads them
            it.type(UP)
            await it.until(lambda: it.typed == "half")
            it.type(CTRL_C)
            await it.until(lambda: not it.typed)
            it.type(CTRL_D)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_interrupt_at_a_dumb_terminal(self):
        """On a dumb terminal, Ctrl+C does the same, and the client writes a new prompt."""
        written: list[Any] = []
        self.patch(os, "environ", {**os.environ, "TERM": "dumb"})

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.write_prompt_to(written)
            it.type("half" + CTRL_C)
            await it.until(lambda: "\r\n> " in written)
            self.reactor.advance(HESITATION_S)
            it.type(CTRL_C)

        self.assertEqual(self.converse(script), Status.INTERRUPTED)

    def test_interrupt_a_search(self):
        """Ctrl+C ends the search for an earlier line, and does not leave."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("hello" + ENTER)
            await it.shown("alice: hello")
            it.type(CTRL_R)
            await it.until(lambda: it.is_searching)
            it.type(CTRL_C)
            await it.until(lambda: not it.is_searching)
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_history_at_a_dumb_terminal(self):
        """A dumb terminal shows the lines that the Up and Down keys bring back."""
        written: list[Any] = []
        self.patch(os, "environ", {**os.environ, "TERM": "dumb"})

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("hello" + ENTER)
            await it.shown("alice: hello")
            it.write_prompt_to(written)
            it.type(UP)
            await it.until(lambda: "\r\n> hello" in written)
            it.type(DOWN)
            await it.until(lambda: "\r\n> " in written)
            it.type(CTRL_D)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_several_lines(self):
        """Alt+Enter starts a new line in a message; Enter sends all of it."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("one" + ALT_ENTER + "two" + ENTER)
            await it.shown("alice: one")
            await it.shown("  two")
            self.assertEqual(self.reactor.server.hub.roster.rooms["lobby"].seq, 1)
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_clear_several_lines(self):
        """Ctrl+U clears all lines of a message, Up and Ctrl+Y bring them back."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type(CTRL_U)  # does nothing
            it.type("one" + ALT_ENTER + "two" + LEFT)
            await it.until(lambda: it.typed == "one\ntwo")
            it.type(CTRL_U)
            await it.until(lambda: not it.typed)
            it.type(CTRL_Y)
            await it.until(lambda: it.typed == "one\ntwo")
            it.type(CTRL_U)
            await it.until(lambda: not it.typed)
            buffer = it.terminal._prompt._session.default_buffer
            await it.until(lambda: len(buffer._working_lines) > 1)  # the next drawing loads them
            it.type(UP)
            await it.until(lambda: it.typed == "one\ntwo")
            it.type(ENTER)
            await it.shown("  two")
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_clear_at_a_dumb_terminal(self):
        """On a dumb terminal, the client writes a new prompt after Ctrl+U."""
        written: list[Any] = []
        self.patch(os, "environ", {**os.environ, "TERM": "dumb"})

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.write_prompt_to(written)
            it.type("half" + CTRL_U)
            await it.until(lambda: "\r\n> " in written)
            it.type(CTRL_D)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_clear_a_search(self):
        """Within a search for an earlier line, Ctrl+U leaves the line as it is."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("half" + CTRL_R)
            await it.until(lambda: it.is_searching)
            it.type("tea" + CTRL_U + CTRL_C)
            await it.until(lambda: not it.is_searching)
            self.assertEqual(it.typed, "half")
            it.type(CTRL_C)
            await it.until(lambda: not it.typed)
            it.type(CTRL_D)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_cancelled(self):
        """If a signal ends it at the prompt, the prompt ends first, then it says goodbye."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("half a line")
            it.done.addErrback(ends.append)
            it.done.cancel()
            await it.until(lambda: ends)

        ends: list[Any] = []
        self.assertIsNone(self.converse(script))
        self.assertIsNotNone(ends[0].check(CancelledError))
        self.assertEqual(self.sessions(), {})
        self.assertNotIn("alice: half", self.screen.getvalue())

    def test_suspended(self):
        """Ctrl+Z suspends the client, and keeps the typed line."""
        self.assertNotIn("> half", self.suspend("xterm"))  # prompt_toolkit redraws it there

    def test_suspended_at_a_dumb_terminal(self):
        """On a dumb terminal, the client writes the prompt and the typed line again."""
        self.assertIn("> half", self.suspend("dumb"))

    def test_suspended_for_long(self):
        """After a long time, a note tells why the session may have ended."""
        note = "the client was suspended for 20 seconds; the session may have ended"
        self.suspend("xterm", lasts_s=9.0)
        self.assertNotIn("suspended", self.screen.getvalue())
        self.suspend("xterm", lasts_s=20.0)
        self.assertIn(note, self.screen.getvalue())

    def suspend(self, kind, lasts_s=0.0):
        """Suspend a conversation on a kind of terminal; return the prompt's output."""
        stops: list[Any] = []
        written: list[Any] = []
        self.patch(os, "environ", {**os.environ, "TERM": kind})

        def kill(*stop):
            self.reactor.rightNow += lasts_s  # nothing happens in that time
            stops.append(stop)

        self.patch(os, "kill", kill)

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.write_prompt_to(written)
            it.type("half" + CTRL_Z)
            await it.until(lambda: stops)
            it.type(" and half" + ENTER)
            await it.shown("alice: half and half")
            it.type(CTRL_D)

        self.assertEqual(self.converse(script), Status.DONE)
        self.assertEqual(stops, [(0, signal.SIGTSTP)])
        return written

    def test_not_done(self):
        """The client reports and clears a line that it does not carry out; Up brings it back."""
        self.reactor = CommandReactor(max_content=10)

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("12345678901" + ENTER)
            await it.until(lambda: it.lines[-1].startswith("* not sent: content of 11 bytes"))
            it.type("next" + ENTER)
            await it.shown("alice: next")
            it.type("/smile" + ENTER)
            await it.until(lambda: it.lines[-1].startswith("* there is no command /smile;"))
            await it.until(lambda: not it.typed)
            it.type(UP)
            await it.until(lambda: it.typed == "/smile")
            it.type(HOME + "/" + ENTER)
            await it.shown("alice: /smile")
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_refused_line(self):
        """The client shows a line that the server refuses, with the reason."""
        self.reactor = CommandReactor(Strict)

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("hello" + ENTER)
            await it.shown("* refused: hello (not that)")
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_failed_command(self):
        """An internal error ends nothing; the log has it, and the client reports it in one line."""

        async def fail(talk):
            raise ZeroDivisionError("oops")

        self.patch(commands, "COMMANDS", {"fail": commands.Command("", "", fail)})

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("/fail" + ENTER)
            await it.shown("* internal error: ZeroDivisionError: oops")
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class KeyTests(TerminalCase):
    def test_tab(self):
        """Tab completes the text before the cursor, and again goes on; Shift+Tab goes back."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            for name in ("bob", "bert"):
                it.terminal._talk.states.of("lobby").add(name)
            for keys, typed in (
                ("/na" + TAB, "/names "),
                (CTRL_C + "/na" + TAB + TAB, "/name "),
                (CTRL_C + "to b today" + LEFT * 6 + TAB, "to bert today"),
                (TAB, "to bob today"),
                (CTRL_C + "b today" + LEFT * 6 + TAB, "bert: today"),
                (CTRL_C + "b!" + LEFT + TAB, "bert: !"),
                (TAB, "bob: !"),
                (SHIFT_TAB, "bert: !"),
                (CTRL_C + "x" + TAB, "x"),
            ):
                it.type(keys)
                await it.until(lambda typed=typed: it.typed == typed)
            it.type(CTRL_C)
            await it.until(lambda: not it.typed)
            it.type(CTRL_D)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_places(self):
        """Alt and a digit goes to a place, and Alt+A to a place with unread messages."""

        async def script(it):
            await it.until(lambda: len(it.terminal._talk.whereabouts.rooms) == 11)
            it.type("half" + alt("2"))
            await it.shown("* your lines go to r2 now")
            self.reactor.server.send_to_room("r11", "read me")
            await it.shown("[r11] server: read me")
            it.type(alt("0"))
            await it.shown("* your lines go to r10 now")
            it.type(alt("a"))
            await it.shown("* your lines go to r11 now")
            count = len(it.lines)
            it.type(alt("a") + alt("1"))
            await it.shown("* your lines go to r1 now")
            self.assertEqual(len(it.lines), count + 1)
            self.assertEqual(it.typed, "half")
            it.type(CTRL_C)
            await it.until(lambda: not it.typed)
            it.type(CTRL_D)

        rooms = [f"r{number}" for number in range(1, 12)]
        self.converse(script, rooms=rooms)

    def test_status(self):
        """The status line tells the place, and of the connection."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            line = it.terminal._status_line(80)
            self.assertEqual(
                line, " alice | 1:lobby (1) | unix:/where/the/server/is, not encrypted"
            )
            it.type("/query bob" + ENTER)
            await it.until(lambda: it.terminal._status_line(80).startswith(" alice | 2:@bob | "))
            self.reactor.server.shut_down()
            await it.shown("* not connected; reconnecting")
            self.assertIn("not connected to unix:", it.terminal._status_line(80))
            it.type(CTRL_D)

        self.converse(script)

    def test_waiting(self):
        """The status line counts the messages that wait, and so does the note of a loss."""
        self.reactor = CommandReactor(Silent)

        async def script(it):
            await it.shown("* you are alice, in lobby")
            for number, many in ((1, "1 message waits"), (2, "2 messages wait")):
                it.type(f"line {number}" + ENTER)
                await it.until(
                    lambda number=number: it.terminal._talk.receipts.outstanding == number
                )
                self.reactor.advance(1)
                self.assertIn(f" | {number} waiting | ", it.terminal._status_line(80))
                for session in list(self.reactor.server.sessions.values()):
                    session.protocol.transport.abortConnection()
                await it.shown(f"* not connected; reconnecting; {many} for that")
                self.reactor.advance(2)
                await it.shown("* connected again; you are alice")
            it.type(CTRL_D)
            await it.shown("* waiting for the server; Ctrl+C gives up")
            self.reactor.advance(5)  # until the goodbye

        self.assertEqual(self.converse(script), Status.LOST)


class MidnightTests(TerminalCase):
    def test_date(self):
        """The client shows the date at each midnight."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            days = [0.0]
            self.patch(it.terminal._talk.display, "_unix_time", lambda: time.time() + days[0])
            for number in (1, 2):
                days[0] += 86_400
                call: Any = it.terminal._midnight._call
                self.assertLessEqual(call.getTime() - self.reactor.seconds(), 25 * 3_600 + 1)
                call.reset(0)
                self.reactor.advance(0)
                self.assertEqual(len(re.findall("(?m)^-- .* --$", it.screen)), number)
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class PasteTests(TerminalCase):
    """Pasted lines, which are text."""

    def paste(self, keys, *, sent, typed):
        """Paste at an empty line, and press Enter; compare the typed and the sent text."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type(keys)
            await it.until(lambda: it.typed == typed)
            self.assertEqual(len(it.lines), 1)
            it.type(ENTER)
            await it.until(lambda: len(it.lines) > 1)
            self.assertEqual(it.lines[1:], sent)
            self.assertEqual(self.reactor.server.hub.roster.rooms["lobby"].seq, 1)
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)
        self.reactor = CommandReactor()
        self.clear_screen()

    def test_bracketed(self):
        """A paste waits at the prompt, and Enter sends it as a message."""
        for pasted, typed in (
            ("/quit\rexit\r", "//quit\nexit"),
            ("/quit\r\nexit\r\n", "//quit\nexit"),
            ("// no\n# yes", "/// no\n# yes"),
        ):
            first, *rest = typed.removeprefix("/").splitlines()
            sent = [f"alice: {first}", *(f"  {line}" for line in rest)]
            self.paste(f"\x1b[200~{pasted}\x1b[201~", sent=sent, typed=typed)

    def test_exit(self):
        """A pasted `exit` is a message; the same line with something typed is not pasted."""
        self.paste("\x1b[200~exit\x1b[201~", sent=["alice: exit"], typed="exit")
        self.paste("\x1b[200~ exit \r\x1b[201~", sent=["alice:  exit "], typed=" exit ")

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("\x1b[200~exi\x1b[201~t" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_path(self):
        """A path is no command."""
        self.paste(
            "\x1b[200~/etc/hosts is empty\x1b[201~",
            sent=["alice: /etc/hosts is empty"],
            typed="/etc/hosts is empty",
        )

    def test_not_bracketed(self):
        """On a terminal without bracketed paste, several lines at once are a paste too."""
        self.paste(
            "/whome\rexit\rand on\r",
            sent=["alice: /whome", "  exit", "  and on"],
            typed="//whome\nexit\nand on",
        )

    def test_long(self):
        """A paste that needs several reads is one paste, with any ends of the reads."""
        lines = [f"{'x' * 12}\texit" if number % 2 else "exit" for number in range(400)]
        size = len("\n".join(lines))
        self.paste(
            "".join(f"{line}\r" for line in lines),
            sent=[
                "alice: exit",
                *(f"  {line}" for line in lines[1:MAX_ROWS]),
                f"  [cut; {size} bytes in all; /history 20 shows more]",
            ],
            typed="\n".join(lines),
        )

    def test_at_a_dumb_terminal(self):
        """A dumb terminal shows the pasted text too."""
        written: list[Any] = []
        self.patch(os, "environ", {**os.environ, "TERM": "dumb"})

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.write_prompt_to(written)
            it.type("one\rtwo\r")
            await it.until(lambda: "\r\n> one\r\ntwo" in written)
            it.type(ENTER)
            await it.shown("  two")
            it.type(CTRL_D)

        self.assertEqual(self.converse(script), Status.DONE)


class PromptTests(TerminalCase):
    def test_rooms(self):
        """The prompt names the room, except in the first and only room."""
        prompts = []

        async def script(it):
            await it.shown("* you are alice, in lobby")
            prompts.append(it.prompt)
            it.type("/join ops" + ENTER)
            await it.shown("* you are in ops, 1 here")
            prompts.append(it.prompt)
            it.type("hello" + ENTER)
            await it.shown("[ops] alice: hello")
            it.type("/leave" + ENTER)
            await it.shown("* you left ops; your lines go to lobby now")
            prompts.append(it.prompt)
            it.type("/leave" + ENTER)
            await it.shown("* you left lobby; /join ROOM enters another")
            prompts.append(it.prompt)
            it.type("/quit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)
        self.assertEqual(prompts, ["> ", "ops> ", "> ", "(no room)> "])

    def test_long_or_odd_name(self):
        """A room's name leaves space to type, and cannot control the terminal."""
        prompts = []

        async def script(it):
            await it.until(lambda: it.lines)
            prompts.append(it.prompt)
            it.terminal._talk._factory.progress.joined("b", None, None)
            it.terminal._talk._factory.progress.rooms["b"].name = "\x1b[2J"
            it.terminal._talk.places.enter(Place("\x1b[2J"))
            prompts.append(it.prompt)
            it.type(CTRL_D)

        self.converse(script, rooms=("x" * 64, "a"))
        self.assertEqual(prompts, ["x" * 19 + "…> ", "\ufffd[2J> "])

    def test_colours(self):
        """On a terminal with colours, names have their colours."""
        self.patch(os, "isatty", lambda descriptor: True)
        for environment, shown in (
            ({"TERM": "xterm-256color", "NO_COLOR": ""}, r"\x1b\[38;5;\d+malice\x1b\[39m: hello"),
            ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "alice: hello"),
            ({"TERM": "dumb", "NO_COLOR": ""}, "alice: hello"),
        ):
            self.patch(os, "environ", {**os.environ, **environment})
            self.clear_screen()

            async def script(it, shown=shown):
                it.type("hello" + ENTER)
                await it.until(lambda: it.lines and re.fullmatch(shown, it.lines[-1]))
                it.type("exit" + ENTER)

            self.assertEqual(self.converse(script), Status.DONE)
            self.reactor = CommandReactor()


class HeldLineTests(TerminalCase):
    """A line that was begun for a room from which the person is then removed."""

    async def removed(self, it):
        """Begin a line in a room, and lose that room."""
        await it.shown("* you are alice, in lobby")
        it.type("/join sec" + ENTER)
        await it.until(lambda: it.prompt == "sec> ")
        it.type("half")
        await it.until(lambda: it.typed == "half")
        client = it.terminal._talk.service.client
        client.factory.progress.left("sec")
        client.event_received({"event": "removed", "room": "sec"})
        await it.shown("* your lines go to lobby now")

    def test_held(self):
        """Enter does not send it to another room; the Up key brings it back."""

        async def script(it):
            await self.removed(it)
            it.type(" a line" + ENTER)
            await it.shown("* not sent: you were removed from sec; press Up to get the line")
            buffer = it.terminal._prompt._session.default_buffer
            await it.until(lambda: not it.typed and len(buffer._working_lines) > 2)
            it.type(UP)
            await it.until(lambda: it.typed == "half a line")
            it.type(ENTER)
            await it.shown("alice: half a line")
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_begun_again(self):
        """A line that was begun after that is sent, however the first was cleared."""
        for number, clear in enumerate((CTRL_C, CTRL_U, "\x7f" * 4)):
            self.reactor = CommandReactor()
            self.clear_screen()

            async def script(it, clear=clear, number=number):
                await self.removed(it)
                it.type(clear)
                await it.until(lambda: not it.typed)
                it.type(f"again {number}" + ENTER)
                await it.shown(f"alice: again {number}")
                it.type("exit" + ENTER)

            self.assertEqual(self.converse(script), Status.DONE)

    def test_nothing_begun(self):
        """At an empty line, nothing is held back."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.terminal._prompt.hold("you were removed from sec")
            it.type("hello" + ENTER)
            await it.shown("alice: hello")
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)


class FirstAttemptTests(TerminalCase):
    async def wait(self, it):
        """Type no key."""

    def test_nobody_there(self):
        """If no server listens at first, the client fails with that error."""
        self.reactor = CommandReactor(None)
        self.assertRaises(ConnectError, self.converse, self.wait)
        self.assertEqual(self.screen.getvalue(), "")

    def test_refused(self):
        """If the server refuses the first session, the client fails with that error, at once."""
        error = self.assertRaises(SessionRefused, self.converse, self.wait, name="server")
        self.assertEqual(error.code, "name-taken")
        self.assertEqual(self.screen.getvalue(), "")
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_bad_endpoint(self):
        """The client refuses an invalid endpoint string at once."""
        self.assertRaises(ConfigurationError, Terminal, self.reactor, "bogus", Login())


AGAIN = "* connected again; you are alice"


class ReconnectTests(TerminalCase):
    async def lose(self, it):
        """Stop the server, and replace it by a new server that is not reachable yet."""
        await it.shown("* you are alice, in lobby")
        self.reactor.server.shut_down()
        await it.shown("* not connected; reconnecting")
        self.reactor.server = ChatFactory(self.reactor)

    async def come_back(self, it):
        """Let time pass until the next attempt."""
        self.reactor.advance(2)
        await it.shown(AGAIN)

    def test_connects_again(self):
        """The client reports a lost connection, and the client reconnects later."""

        async def script(it):
            await self.lose(it)
            self.assertEqual(it.lines[1], "* the server is shutting down (shutting-down)")
            await self.come_back(it)
            it.type("hello" + ENTER)
            await it.shown("alice: hello")
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_quit_with_a_text(self):
        """While not connected, the text of `/quit` is reported like any other unsent line."""

        async def script(it):
            await self.lose(it)
            it.type("/quit off to tea" + ENTER)

        self.assertEqual(self.converse(script), Status.LOST)
        last = self.screen.getvalue().splitlines()[-1]
        self.assertIn(" * not sent: off to tea (there was no connection)", last)

    def test_told_once(self):
        """The client shows the note about reconnecting once for each loss."""
        missing = "* not connected; reconnecting"

        async def script(it):
            await self.lose(it)
            server, self.reactor.server = self.reactor.server, None
            for _ in range(5):
                self.reactor.advance(2)
                self.reactor.settle()
            self.assertEqual(it.lines.count(missing), 1)
            self.reactor.server = server
            await self.come_back(it)
            server.shut_down()
            await it.until(lambda: it.lines.count(missing) == 2)
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_sent_later(self):
        """The client sends a line that cannot go out now after the reconnect."""

        async def script(it):
            await self.lose(it)
            it.type("too early" + ENTER)
            await it.shown("* not connected; your message is sent after the client reconnects")
            await self.come_back(it)
            await it.shown("alice: too early")
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_leave_meanwhile(self):
        """Leaving works without a connection."""

        async def script(it):
            await self.lose(it)
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_leave_at_once(self):
        """Leaving waits for the receipt of the last message."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type("goodbye")
            await it.until(lambda: it.typed)
            it.type(ENTER)
            await it.until(lambda: not it.typed)
            it.type("/quit" + ENTER)
            await it.shown("alice: goodbye")

        self.assertEqual(self.converse(script), Status.DONE)
        self.assertNotIn("not confirmed", self.screen.getvalue())

    def test_still_taken(self):
        """While an old session holds the name, the client retries until it is free."""

        async def script(it):
            await self.lose(it)
            names = self.reactor.server.hub.roster.names
            await names.claim("alice", "")
            self.reactor.advance(2)
            self.reactor.settle()
            self.reactor.advance(2)
            self.reactor.settle()
            names.release("alice", "")
            self.assertNotIn(AGAIN, it.lines)
            self.assertEqual(it.lines.count("* not connected; reconnecting"), 1)
            await self.come_back(it)
            it.type("exit" + ENTER)

        self.assertEqual(self.converse(script), Status.DONE)

    def test_key_is_refused(self):
        """A permanent refusal ends the conversation, with its reason and status."""

        async def script(it):
            await self.lose(it)
            self.reactor.server = ChatFactory(self.reactor, key=bytes(range(32)))
            self.reactor.advance(2)
            await it.shown(
                "* the server requires a key: give its key file (--key-file; in Python, "
                "key=chatd.load_key(path))"
            )

        self.assertEqual(self.converse(script), Status.REFUSED)

    def test_ended_for_good(self):
        """If the server ends the session for good, its reason decides the status."""
        for code, status in (("kicked", Status.LOST), ("banned", Status.REFUSED)):

            async def script(it, code=code):
                await it.shown("* you are alice, in lobby")
                self.sessions()["alice"].end(code, "you were asked to leave")
                why = "you were asked to leave"
                shown = f"you were kicked: {why}" if code == "kicked" else f"{why} ({code})"
                await it.shown(f"* {shown}")

            self.assertEqual(self.converse(script), status)
            self.clear_screen()
