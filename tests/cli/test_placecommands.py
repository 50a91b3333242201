"""The commands for rooms and conversations, for actions, the bell and help."""

from chatd.cli.aliases import ALIASES
from chatd.cli.commands import COMMANDS, is_command
from tests.cli.talking import CommandsCase


class PlaceCase(CommandsCase):
    def prompt(self):
        return self.alice.talk.whereabouts.room_to_tell

    def unread(self):
        return [
            (number, place.title, messages)
            for number, place, messages, _ in self.alice.talk.places.unread
        ]


class GotoTests(PlaceCase):
    def test_goto(self):
        """`/goto` takes the name or the number of a room or a conversation."""
        self.alice.type("/join ops")
        self.assertEqual(self.alice.type("/goto LOBBY"), ["* your lines go to lobby now"])
        self.assertEqual(self.alice.type("/goto 2"), ["* your lines go to ops now"])
        self.alice.type("/query bob")
        self.alice.type("/goto 1")
        self.assertEqual(self.alice.type("/goto @bob"), ["* your lines go to @bob now"])
        self.assertEqual(self.prompt(), "@bob")

    def test_beginning(self):
        """The beginning of a name is enough if no other place begins so."""
        for room in ("ops", "open", "lab"):
            self.alice.type(f"/join {room}")
        self.alice.type("/query bob")
        self.assertEqual(self.alice.type("/goto OPS"), ["* your lines go to ops now"])
        self.assertEqual(self.alice.type("/goto Ope"), ["* your lines go to open now"])
        self.assertEqual(self.alice.type("/win @b"), ["* your lines go to @bob now"])
        self.assertEqual(self.alice.mistype("/goto op"), "op: ops or open?")
        self.assertEqual(self.prompt(), "@bob")

    def test_beginning_of_many(self):
        """The client names up to ten of the places that begin so."""
        for number in range(12):
            self.alice.type(f"/join r{number}")
        some = ", ".join(f"r{number}" for number in range(9))
        self.assertEqual(self.alice.mistype("/goto r"), f"r: {some} or 3 others?")

    def test_not_there(self):
        """The client reports a place that the person is not in."""
        self.assertIn("you are not in attic;", self.alice.mistype("/goto attic"))
        self.assertEqual(self.alice.mistype("/goto 7"), "there is no place 7")

    def test_unread(self):
        """Messages in another room count as unread until the person goes there."""
        self.bob.type("/join ops")
        self.alice.type("/join ops")
        self.alice.type("/goto lobby")
        self.bob.type("one")
        self.bob.type("two")
        self.alice.type("own lines are read")
        self.assertEqual(self.unread(), [(2, "ops", 2)])
        self.alice.type("/goto ops")
        self.assertEqual(self.unread(), [])

    def test_answered(self):
        """An answer by `/msg` shows that the messages of that conversation are read."""
        self.alice.type("/join ops")
        self.bob.type("/msg alice psst")
        self.bob.type("hello")
        self.assertEqual(self.unread(), [(1, "lobby", 1), (3, "@bob", 1)])
        self.alice.type("/msg BOB yes")
        self.alice.type("/msg carol hello")
        self.assertEqual(self.unread(), [(1, "lobby", 1)])
        self.assertNotIn("--- new ---", "".join(self.alice.type("/goto bob")))


class QueryTests(PlaceCase):
    def test_query(self):
        """In a conversation, typed lines go to one person until the person closes it."""
        self.assertEqual(self.alice.type("/query bob"), ["* your lines go to @bob now"])
        self.assertEqual(self.alice.type("psst"), ["you → bob: psst"])
        self.assertEqual(self.alice.type("/me waves"), ["you → bob: ** alice waves"])
        self.assertEqual(self.bob.lines, ["alice → you: psst", "alice → you: ** alice waves"])
        self.assertEqual(
            self.alice.type("/part"),
            ["* the conversation with bob is closed; your lines go to lobby now"],
        )
        self.assertEqual(self.alice.type("hello"), ["alice: hello"])
        self.assertEqual(self.alice.talk.whereabouts.rooms, ["lobby"])

    def test_room_of_the_same_name(self):
        """A note tells a person from the room of the same name."""
        self.alice.type("/join bob")
        self.assertEqual(self.alice.type("/query bob"), ["* your lines go to @bob now"])
        self.assertIn("; your lines go to @bob now", self.alice.type("/leave lobby")[0])
        self.assertIn("; your lines go to bob now", self.alice.type("/leave @bob")[0])

    def test_text(self):
        """`/query` may have the first message."""
        self.assertEqual(
            self.alice.type("/query bob hello to you"),
            ["* your lines go to @bob now", "you → bob: hello to you"],
        )

    def test_by_a_message(self):
        """A direct message opens a conversation, but lines go where they went."""
        self.bob.type("/msg alice psst")
        self.alice.type("/msg carol psst")
        titles = [place.title for place in self.alice.talk.places.all]
        self.assertEqual(titles, ["lobby", "@bob", "@carol"])
        self.assertEqual(self.unread(), [(2, "@bob", 1)])
        self.assertIsNone(self.prompt())

    def test_close_by_name(self):
        """`/leave NAME` closes a conversation too, and `/query` alone closes the current one."""
        for closing in ("/leave bob", "/leave @BOB", "/query"):
            self.alice.type("/query bob")
            (line,) = self.alice.type(closing)
            self.assertIn(" is closed; your lines go to lobby now", line)
        self.assertIn("there is no conversation to close", self.alice.mistype("/query"))

    def test_without_a_room(self):
        """A conversation needs no room."""
        self.alice.type("/leave")
        self.alice.type("/query bob")
        self.assertEqual(self.alice.type("psst"), ["you → bob: psst"])
        (line,) = self.alice.type("/leave")
        self.assertIn("/join ROOM enters a room", line)

    def test_commands_for_rooms(self):
        """A command that needs a room says so in a conversation; `/history` shows that."""
        self.alice.type("/query bob psst")
        for line in ("/topic", "/who"):
            self.assertIn("your lines go to @bob;", self.alice.mistype(line))
        self.assertEqual(self.alice.type("/history")[1:], ["| you → bob: psst"])
        self.assertEqual(self.alice.type("/who lobby"), ["* 2 in lobby: alice, bob"])

    def test_renamed(self):
        """A conversation follows the person to a new name."""
        self.alice.type("/query bob")
        self.alice.lines.clear()
        self.bob.type("/name rob")
        self.assertEqual(self.alice.lines, ["* bob is now called rob"])
        self.assertEqual(self.alice.type("psst"), ["you → rob: psst"])

    def test_bad_name(self):
        """The client refuses a name that nobody can have."""
        self.assertIn("a name has 1 to 32 characters", self.alice.mistype("/query " + "x" * 33))


class OtherTests(PlaceCase):
    def test_me(self):
        """`/me` says what the person does, by the text that XEP-0245 defines."""
        self.assertEqual(self.alice.type("/me waves at bob"), ["** alice waves at bob"])
        self.assertEqual(self.bob.lines, ["** alice waves at bob"])
        page = self.successResultOf(self.read())
        self.assertEqual(page.messages[-1].text, "/me waves at bob")

    def read(self):
        reading = self.alice.client.history("lobby")
        self.reactor.settle()
        return reading

    def test_bell(self):
        """`/bell` turns the bell on or off, and tells which; it is off at first."""
        told = "* the bell for direct messages and mentions is"
        self.assertEqual(self.alice.type("/bell"), [f"{told} off"])
        self.assertEqual(self.alice.type("/bell on"), [f"{told} on"])
        self.bob.type("hello alice")
        self.assertEqual(self.alice.lines[-1], "\abob: hello alice")
        self.assertEqual(self.alice.type("/bell off"), [f"{told} off"])
        self.assertEqual(self.alice.mistype("/bell loud"), "/bell is on or off")

    def test_help(self):
        """`/help` explains a command, by any of its names."""
        lines = self.alice.type("/help join")
        self.assertEqual(
            lines, ["* /join ROOM", "*   enter a room; your lines go there", "*   short: /j"]
        )
        self.assertEqual(self.alice.type("/help /J"), lines)
        self.assertIn("*   arguments in brackets may be left out", self.alice.type("/help who"))
        self.assertIn("Alt and the number", " ".join(self.alice.type("/help goto")))
        self.assertEqual(len(self.alice.type("/help rooms")), 3)
        self.assertEqual(
            self.alice.type("/help me"), ["* /me text", "*   tell what you do: /me waves"]
        )
        for mistyped, told in (
            ("smile", "smile;"),
            ("whome", "whome (did you mean who?);"),
            ("/Hlep", "Hlep (did you mean help?);"),
            ("key", "key (did you mean keys?);"),
        ):
            complaint = self.alice.mistype(f"/help {mistyped}")
            self.assertIn(f"there is no command {told}", complaint)

    def test_help_fits(self):
        """With the time, the help of each command fits a terminal of 80 columns."""
        for name in COMMANDS:
            for line in self.alice.type(f"/help {name}"):
                self.assertLessEqual(len(f"12:34 {line}"), 80)

    def test_short_names(self):
        """Each short name stands for a command, and is no command itself."""
        for short, name in ALIASES.items():
            self.assertIn(name, COMMANDS)
            self.assertNotIn(short, COMMANDS)
            self.assertTrue(is_command(short))
        self.assertFalse(is_command("whome"))
        self.assertEqual(self.alice.type("/j ops"), ["* you are in ops, 1 here"])
        self.assertEqual(self.alice.type("/names"), ["* 1 in ops: alice"])
        self.assertEqual(
            self.alice.type("/nick"), ["* you are alice; /name NAME takes another name"]
        )
