"""The terminal's command `/password`, with typed keys and shown lines in memory."""

import os
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from chatd.cli.status import Status
from chatd.server.accounts import Accounts
from chatd.server.checkers import IPasswordChanger
from tests.cli.conversation import CTRL_C, CTRL_D, ENTER, TerminalCase
from tests.cli.talking import CommandsCase, Talker
from tests.cli.wiring import CommandReactor

OLD, NEW = "open sesame", "open barley"


@implementer(ICredentialsChecker, IPasswordChanger)
class Checker:
    """Knows the password of alice, and changes it."""

    credentialInterfaces = (IUsernamePassword,)
    password = OLD

    def requestAvatarId(self, credentials):
        if credentials.checkPassword(self.password.encode()):
            return b"alice"
        raise UnauthorizedLogin

    def has_account(self, name):
        return name == "alice"

    async def change_password(self, name, old, new):
        if old != self.password:
            raise UnauthorizedLogin
        self.password = new


class PasswordTests(TerminalCase):
    def setUp(self):
        super().setUp()
        self.last: Any = None
        self.source = ""
        self.checker = Checker()
        self.reactor = CommandReactor(accounts=Accounts(Clock(), [self.checker]))

    async def answer(self, it, *lines):
        """Type the command, and a line at each question."""
        it.type("/password" + ENTER)
        for line in lines:
            await self.question(it)
            it.type(line)

    async def question(self, it):
        """Wait for the next question."""
        unseen, last = it.terminal._unseen, self.last
        await it.until(lambda: unseen.is_shown and unseen._session is not last)
        self.last = unseen._session

    def change(self, *lines, shown, kind="xterm"):
        """Change the password; check that the client neither shows nor remembers a password."""
        self.patch(os, "environ", {**os.environ, "TERM": kind})

        async def script(it):
            await it.shown("* you are alice, in lobby")
            await self.answer(it, *lines)
            await it.shown(shown)
            it.type("hello" + ENTER)
            await it.shown("alice: hello")
            self.remembered = it.terminal._prompt._session.history.get_strings()
            it.type(CTRL_D)

        login = {"password": OLD, "password_from": self.source}
        self.assertEqual(self.converse(script, **login), Status.DONE)
        for secret in (OLD, NEW):
            self.assertNotIn(secret, self.screen.getvalue())
            self.assertNotIn(secret, "".join(self.remembered))

    def test_change(self):
        """The client asks for the old password once, and for the new password twice."""
        new = NEW + ENTER
        self.change(OLD + ENTER, new, new, shown="* your password was changed")
        self.assertEqual(self.checker.password, NEW)

    def test_file(self):
        """The note names the file that has the old password."""
        new = NEW + ENTER
        self.source = "work's password_file al.password"
        shown = f"* your password was changed; {self.source} has the old one"
        self.change(OLD + ENTER, new, new, shown=shown)

    def test_wrong(self):
        """A refusal of the server is a note."""
        new = NEW + ENTER
        self.change(new, new, new, shown="* /password: the old password is wrong")
        self.assertEqual(self.checker.password, OLD)

    def test_differ(self):
        """Two different new passwords change nothing."""
        note = "* /password: the two new passwords differ; nothing was changed"
        self.change(OLD + ENTER, NEW + ENTER, OLD + ENTER, shown=note)
        self.assertEqual(self.checker.password, OLD)

    def test_ended(self):
        """Ctrl+C and Ctrl+D end the command, not the client."""
        for key in (CTRL_C, CTRL_D):
            self.reactor = CommandReactor(accounts=Accounts(Clock(), [self.checker]))
            self.clear_screen()
            self.change(OLD + ENTER, key, shown="* /password: nothing was changed")
        self.assertEqual(self.checker.password, OLD)

    def test_interrupted_too_often(self):
        """After Ctrl+C at the question, another one does not leave at once."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            await self.answer(it, CTRL_C)
            await it.shown("* /password: nothing was changed")
            it.type(CTRL_C)
            await it.shown("* press Ctrl+C again to quit")
            it.type(CTRL_D)

        self.assertEqual(self.converse(script, password=OLD), Status.DONE)

    def test_cancelled(self):
        """If a signal ends the client at the question, the question ends first."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            it.type(f"/password{ENTER}")
            await it.until(lambda: it.terminal._unseen.is_shown)
            it.done.addErrback(ends.append)
            it.done.cancel()
            await it.until(lambda: ends)

        ends: list[Any] = []
        self.assertIsNone(self.converse(script, password=OLD))
        self.assertIsNotNone(ends[0].check(CancelledError))
        self.assertEqual(self.sessions(), {})

    def test_kicked(self):
        """If the server ends the session at the question, the client ends, too."""

        async def script(it):
            await it.shown("* you are alice, in lobby")
            await self.answer(it, OLD + ENTER)
            await self.question(it)
            self.sessions()["alice"].end("kicked", "enough")
            await it.shown("* you were kicked: enough")

        self.assertEqual(self.converse(script, password=OLD), Status.LOST)
        self.assertEqual(self.checker.password, OLD)

    def test_dumb_terminal(self):
        """A terminal that shows all typed keys gets no question."""
        self.change(shown="* this terminal cannot hide a password", kind="dumb")


class TalkTests(CommandsCase):
    """The command without a terminal, on a server without accounts."""

    def setUp(self):
        super().setUp()
        self.alice.leave()
        self.alice = Talker(self.reactor, "alice", password=OLD)
        self.alice.lines.clear()

    def test_guest(self):
        """A person without a password is asked for none."""
        self.bob.talk.window.ask_unseen = self.fail
        self.assertEqual(
            self.bob.mistype("/password"),
            "you logged in without a password, so there is none to change",
        )

    def test_no_terminal(self):
        """If the client cannot ask, it does not run the command."""
        self.assertEqual(self.alice.mistype("/password"), "only a terminal can ask for a password")

    def test_no_connection(self):
        """Without a connection, the client asks nothing."""
        self.alice.leave()
        self.assertEqual(self.alice.mistype("/password"), "not connected; try again later")

    def test_too_long(self):
        """A text that cannot be sent changes nothing."""
        self.alice.talk.window.ask_unseen = lambda _: succeed("x" * 70_000)
        (line,) = self.alice.type("/password")
        self.assertRegex(line, r"\A\* /password: nothing was changed: .{,100}\Z")
        self.assertNotIn("xxx", line)

    def test_no_accounts(self):
        """A refusal of the server is a note."""
        self.alice.talk.window.ask_unseen = lambda _: succeed(OLD)
        self.assertEqual(
            self.alice.type("/password"),
            ["* /password: a server without accounts has no passwords"],
        )
