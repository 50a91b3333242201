"""Lines typed at a terminal: messages and commands."""

import re

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from chatd import ChatFactory, RequestError
from chatd.chat.policy import Policy
from chatd.cli import commands
from chatd.cli.commands import COMMANDS
from tests.cli.talking import CommandsCase, Talker
from tests.cli.wiring import CommandReactor


class SayingTests(CommandsCase):
    def test_say(self):
        """The client sends a line without a slash to the current room, with its spaces."""
        for line in ("hello", " /who", "a /who", "  two  "):
            self.assertEqual(self.alice.type(line), [f"alice: {line}"])

    def test_literal_slash(self):
        """The client sends a line that begins with two slashes with one slash."""
        for line in ("//", "//etc", "///", "//help me"):
            self.assertEqual(self.alice.type(line), [f"alice: {line[1:]}"])

    def test_unknown(self):
        """The client reports an unknown command with two suggestions, and sends nothing."""
        for line in ("/smile", "/smile at bob", "/", "/ who", "/whoami", "/\t"):
            self.assertIn("see /help, or begin a message with //", self.alice.mistype(line))
        self.assertIn("no command /smile;", self.alice.mistype("/smile at bob"))
        self.assertEqual(self.bob.lines, [])

    def test_meant(self):
        """The report names the commands that were probably meant, also by their short names."""
        for typed, meant in (
            ("/hlep", "/help"),
            ("/hist 3", "/history"),
            ("/JION ops", "/join"),
            ("/nikc al", "/nick"),
            ("/h", "/help or /history"),
        ):
            self.assertEqual(
                self.alice.mistype(typed),
                f"there is no command {typed.split()[0]} (did you mean {meant}?); see /help, or "
                "begin a message with //",
            )

    def test_capitals(self):
        """A command may be typed in capitals."""
        self.assertEqual(self.alice.type("/WHO"), ["* 2 in lobby: alice, bob"])


class ArgumentsTests(CommandsCase):
    def test_missing(self):
        """An error about a missing argument shows the command's arguments."""
        for line in (
            "/join",
            "/msg",
            "/msg bob",
            "/msg bob  ",
            "/kick",
            "/ban",
            "/unban",
        ):
            name = line.split()[0]
            usage = f"{name} {COMMANDS[name[1:]].arguments}"
            self.assertEqual(self.alice.mistype(line), f"too few arguments: {usage}")

    def test_too_much(self):
        """So does an error about too many arguments."""
        for line in ("/join a b", "/rooms x", "/who a b", "/help a b", "/clear now"):
            name = line.split()[0]
            usage = f"{name} {COMMANDS[name[1:]].arguments}".strip()
            self.assertEqual(self.alice.mistype(line), f"too many arguments: {usage}")
        self.assertFalse(self.alice.talk.is_over)

    def test_no_names(self):
        """The client reports an invalid name of a room or a person without the server."""
        long = "x" * 65
        for line in (f"/join {long}", f"/who {long}"):
            self.assertIn("a room's name has 1 to 64 characters", self.alice.mistype(line))
        for line in (f"/name {long}", f"/msg {long} hello", f"/kick {long}", f"/ban {long}"):
            self.assertIn("a name has 1 to 32 characters", self.alice.mistype(line))

    def test_no_connection(self):
        """A command that needs a connection is not carried out without a connection."""
        self.reactor.server.shut_down()
        self.reactor.settle()
        for line in ("/join a", "/leave", "/rooms", "/who", "/topic", "/name al", "/kick bob"):
            self.assertIn("not connected; try again later", self.alice.mistype(line))
        self.assertEqual(self.alice.talk.whereabouts.rooms, ["lobby"])

    def test_lost_meanwhile(self):
        """The client reports a command if the connection is lost before its answer."""
        talk = self.alice.talk
        self.reactor.callLater(0, talk.service.client.transport.abortConnection)
        self.assertIn(
            "* /who: the connection was lost before the server answered", self.alice.type("/who")
        )


class RoomsTests(CommandsCase):
    def test_join(self):
        """Lines go to the room that was joined last."""
        self.assertEqual(self.alice.type("/join ops"), ["* you are in ops, 1 here"])
        self.assertEqual(self.alice.type("hello"), ["[ops] alice: hello"])
        self.assertEqual(self.alice.talk.whereabouts.rooms, ["lobby", "ops"])
        self.assertEqual(self.bob.lines, [])

    def test_join_again(self):
        """Joining a room again makes it the current room."""
        self.alice.type("/join ops")
        self.assertEqual(self.alice.type("/join LOBBY"), ["* your lines go to lobby now"])
        self.assertEqual(self.alice.type("hello"), ["[lobby] alice: hello"])

    def test_said_at_once(self):
        """A line typed right after a join goes to that room, even if the join takes long."""
        doing = [
            Deferred.fromCoroutine(commands.act_on(self.alice.talk, line))
            for line in ("/join ops", "hello")
        ]
        self.assertNoResult(doing[0])
        self.reactor.settle()
        self.assertEqual(self.alice.lines, ["* you are in ops, 1 here", "[ops] alice: hello"])

    def test_join_refused(self):
        """After a refused join, lines go to the room before."""
        self.reactor = CommandReactor(policy=Policy(max_rooms=2))
        alice = Talker(self.reactor, "alice", "lobby", "ops")
        alice.type("/join ops")
        self.assertEqual(alice.type("/join attic"), ["* /join: a session is in 2 rooms at most"])
        self.assertEqual(alice.type("hello"), ["[ops] alice: hello"])

    def test_leave(self):
        """A person leaves the current room or a named room, and sees the new current room."""
        self.alice.type("/join ops")
        self.alice.type("/join attic")
        self.assertEqual(self.alice.type("/leave"), ["* you left attic; your lines go to ops now"])
        self.assertEqual(
            self.alice.type("/leave ops"), ["* you left ops; your lines go to lobby now"]
        )
        self.assertEqual(self.alice.type("hello"), ["alice: hello"])

    def test_leave_the_last(self):
        """A person in no room sees how to enter a room, and cannot send."""
        self.assertEqual(self.alice.type("/leave"), ["* you left lobby; /join ROOM enters another"])
        for line in ("hello", "/leave", "/who", "/topic", "/history"):
            self.assertIn("you are in no room; enter one with /join ROOM", self.alice.mistype(line))
        self.assertEqual(self.bob.lines, ["* alice left"])

    def test_leave_elsewhere(self):
        """A person cannot leave a room without being in it."""
        self.assertEqual(
            self.alice.mistype("/leave ops"),
            "you are not in ops; /leave lobby ops leaves lobby with that text",
        )

    def test_leave_with_a_text(self):
        """The text is the last message in the place that the person leaves."""
        self.alice.type("/join ops")
        self.bob.type("/join ops")
        self.bob.lines.clear()
        self.alice.type("/goto lobby")
        self.alice.type("/leave ops that is all")
        self.assertEqual(self.bob.lines, ["[ops] alice: that is all", "* alice left ops"])
        self.alice.type("/query bob")
        self.alice.type("/leave @bob see you")
        self.assertEqual(self.bob.lines[-1], "alice → you: see you")
        self.assertEqual([place.title for place in self.alice.talk.places.all], ["lobby"])

    def test_leave_with_a_text_alone(self):
        """Words that begin with no place are all the last message, to the current place."""
        self.assertEqual(
            self.alice.type("/leave see  you"),
            ["alice: see you", "* you left lobby; /join ROOM enters another"],
        )
        self.assertIn("you are in no room", self.alice.mistype("/leave see you"))
        self.alice.type("/query bob")
        self.alice.type("/leave see you")
        self.assertEqual(self.bob.lines[-1], "alice → you: see you")
        self.assertEqual(self.alice.talk.places.all, [])

    def test_leave_with_a_mistyped_place(self):
        """A single word is a place, and so is a word with the sign of a room or a person."""
        for words in ("see", "#lobby see you", "@bob see you"):
            self.assertIn(
                f"you are not in {words.split()[0]};", self.alice.mistype(f"/leave {words}")
            )
        self.assertEqual(self.bob.lines, [])

    def test_leave_with_a_text_like_a_place(self):
        """A text that begins with a number or a person's name needs the place before it."""
        self.alice.type("/join ops")
        self.alice.type("/query bob")
        self.alice.type("/goto lobby")
        for words, leave in (
            ("2 minutes break", "write /leave lobby 2 … for that text, or /leave ops … for that"),
            ("bob told me to go", "or /leave @bob … for that place"),
            ("7 minutes", "you are not in 7; /leave lobby 7 … leaves lobby with that text"),
        ):
            self.assertIn(leave, self.alice.mistype(f"/leave {words}"))
        self.assertEqual(len(self.alice.talk.places.all), 3)
        self.assertNotIn("minutes", "".join(self.bob.lines))
        self.alice.type("/leave 2")
        self.alice.type("/leave bob")
        self.assertIn("you are not in bob;", self.alice.mistype("/leave bob told me to go"))
        self.alice.type("/leave LOBBY 2 minutes break")
        self.assertEqual(self.bob.lines[-2:], ["alice: 2 minutes break", "* alice left"])

    def test_leave_a_room_again(self):
        """The name of a room that the person has left does not begin a text."""
        self.alice.type("/join ops")
        self.alice.type("/leave ops")
        self.assertIn("you are not in Ops;", self.alice.mistype("/leave Ops see you"))
        self.assertEqual(self.alice.talk.whereabouts.rooms, ["lobby"])

    def test_leave_without_a_connection(self):
        """Without a connection, the text is not sent either, so that the line can be repeated."""
        self.alice.client.transport.abortConnection()
        self.reactor.settle()
        self.assertIn("not connected", self.alice.mistype("/leave see you"))
        self.reactor.pass_until(lambda: self.alice.talk.is_connected)
        self.assertNotIn("see you", "".join(self.bob.lines))

    def test_say(self):
        """`/say` sends its text, also if it begins with a slash."""
        self.assertEqual(self.alice.type("/say /topic tea"), ["alice: /topic tea"])

    def test_who(self):
        """The people in the current room, or in another room, are listed."""
        self.bob.type("/join ops")
        self.assertEqual(self.alice.type("/who"), ["* 2 in lobby: alice, bob"])
        self.assertEqual(self.alice.type("/who ops"), ["* 1 in ops: bob"])
        (nobody,) = self.alice.type("/who attic")
        self.assertTrue(nobody.startswith("* /who: "))

    def test_who_of_many(self):
        """Of many names, the client shows some, and the number of the others."""
        self.patch(commands, "_MAX_LISTED", 1)
        self.assertEqual(self.alice.type("/who"), ["* 2 in lobby: alice and 1 more"])

    def test_rooms(self):
        """The rooms are listed, with their members and topics."""
        self.bob.type("/join ops")
        self.bob.type("/topic tea")
        self.alice.lines.clear()
        self.assertEqual(
            self.alice.type("/rooms"),
            ["* rooms:", "*   lobby, 2 there", "*   ops, 1 there; topic: tea"],
        )

    def test_many_rooms(self):
        """Of many rooms, the client shows some, and the number of the others."""
        self.patch(commands, "_MAX_LISTED", 1)
        self.bob.type("/join ops")
        self.assertEqual(self.alice.type("/rooms")[1:], ["*   lobby, 2 there", "*   and 1 more"])

    def test_no_rooms(self):
        """If there are no rooms, a note says so."""
        self.reactor = CommandReactor(policy=Policy(rooms=()))
        alice = Talker(self.reactor, "alice")
        self.assertEqual(alice.lines, ["* you are alice"])
        self.assertEqual(alice.type("/rooms"), ["* there are no rooms"])


class TopicTests(CommandsCase):
    def test_set(self):
        """A topic is any text; everyone in the room sees the change, its author too."""
        self.assertEqual(self.alice.type("/topic tea  time"), ["* alice set the topic: tea  time"])
        self.assertEqual(self.bob.lines, ["* alice set the topic: tea  time"])

    def test_show(self):
        """Without a text, the command shows the topic."""
        self.assertEqual(self.bob.type("/topic"), ["* lobby has no topic"])
        self.alice.type("/topic tea")
        self.assertEqual(self.bob.type("/topic"), ["* the topic of lobby: tea"])

    def test_same(self):
        """The client reports setting the same topic again."""
        self.alice.type("/topic tea")
        self.assertEqual(self.alice.type("/topic tea"), ["* that is the topic already"])

    def test_none(self):
        """A dash clears the topic."""
        self.alice.type("/topic tea")
        self.assertEqual(self.alice.type("/topic -"), ["* alice cleared the topic"])

    def test_no_topic(self):
        """The client reports an invalid topic without asking the server."""
        for topic in ("x" * 257, "two\nlines"):
            self.assertIn("one line of up to 256", self.alice.mistype(f"/topic {topic}"))


class HelpTests(CommandsCase):
    def test_keys(self):
        """`/help keys` lists the keys; with the time, each fits a terminal of 80 columns."""
        lines = self.alice.type("/help keys")
        self.assertIn("* Ctrl+Z                 suspend the client; fg returns", lines)
        self.assertLessEqual(max(map(len, lines)), 80 - len("12:34 "))

    def test_help(self):
        """Every command is listed once, in its group, with its arguments."""
        *lines, last = self.alice.type("/help")
        usages = [f"/{name} {command.arguments}".strip() for name, command in COMMANDS.items()]
        listed = [
            usage for line in lines for usage in re.split("  +", line[1:].strip()) if "/" in usage
        ]
        self.assertCountEqual(listed, usages)
        self.assertTrue(lines[0].startswith("* rooms      /join ROOM   /leave [PLACE]"), lines[0])
        self.assertIn("//text", last)

    def test_fits(self):
        """With the time, the help fits a terminal of 80 columns and 24 lines, above the prompt."""
        lines = self.alice.type("/help")
        self.assertLessEqual(len(lines), 22)
        for line in lines:
            self.assertLessEqual(len(f"12:34 {line}"), 80)

    def test_join_with_a_number_sign(self):
        """A new room with a number sign gets a hint; one that is in use does not."""
        hint = "* #ops is a new room; if you meant ops: /leave, then /join ops"
        self.assertEqual(self.alice.type("/join #ops"), ["* you are in #ops, 1 here", hint])
        self.assertNotIn(hint, self.bob.type("/join #ops"))
        self.assertEqual(self.alice.type("/join #ops"), ["* your lines go to #ops now"])
        for room in ("ops", "#"):
            self.assertEqual(self.alice.type(f"/join {room}"), [f"* you are in {room}, 1 here"])

    def test_join_several(self):
        """So does a new room with a comma, which separates rooms in irssi."""
        hint = "* a,b is a new room; if you meant a and b: /leave, then /join a"
        self.assertEqual(self.alice.type("/join a,b"), ["* you are in a,b, 1 here", hint])
        self.assertNotIn(hint, self.bob.type("/join a,b"))

    def test_who_with_a_name(self):
        """A room with nobody in it may be meant as a name, and so `/who` hints at `/whois`."""
        hint = "* /who: nobody is in a room of that name; for a person: /whois bob"
        self.assertEqual(self.alice.type("/who bob"), [hint])
        self.alice.talk.client.people = lambda room: fail(RequestError("not-allowed", "no"))
        self.assertEqual(self.alice.type("/who bob"), ["* /who: no"])

    def test_quit_with_a_text(self):
        """The text of `/quit` is the last message in the room; without a room, a note says so."""
        self.assertEqual(self.alice.type("/quit off to tea"), ["alice: off to tea"])
        self.assertTrue(self.alice.talk.is_over)
        self.bob.type("/leave")
        self.assertEqual(
            self.bob.type("/quit off to tea"), ["* not sent: off to tea (you are in no room)"]
        )
        self.assertTrue(self.bob.talk.is_over)

    def test_quit_from_a_conversation(self):
        """There the text goes to the room that the person visited last, not to the other person."""
        self.bob.type("/join ops")
        self.alice.type("/join ops")
        self.alice.type("/goto lobby")
        self.alice.type("/query bob")
        self.assertEqual(self.alice.type("/quit off to tea"), ["[lobby] alice: off to tea"])
        self.alice.type("/leave lobby")
        self.assertEqual(self.alice.type("/quit off to tea"), ["alice: off to tea"])
        self.alice.type("/leave ops")
        self.assertIn("you are in no room", self.alice.type("/quit off to tea")[0])
        self.assertNotIn("→", "".join(self.bob.lines))

    def test_clear(self):
        """Without a terminal, nothing can be cleared."""
        self.assertEqual(self.alice.mistype("/clear"), "this terminal cannot be cleared")

    def test_quit(self):
        """`/quit` ends the conversation."""
        self.assertEqual(self.alice.type("/quit"), [])
        self.assertTrue(self.alice.talk.is_over)


class Refusing(ChatFactory):
    """A server without commands."""

    def command_received(self, session, message):
        raise RequestError("unknown-command", "there are none")


class OtherServerTests(SynchronousTestCase):
    def test_no_commands(self):
        """A person can use a server without commands; the client shows its refusals."""
        alice = Talker(CommandReactor(Refusing), "alice")
        self.assertEqual(alice.type("hello")[-1:], ["alice: hello"])
        self.assertEqual(alice.type("/who"), ["* /who: there are none"])
