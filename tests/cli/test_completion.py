"""Completion with the Tab key."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.aliases import ALIASES
from chatd.cli.commands import COMMANDS
from chatd.cli.completion import TabKey, Words, complete
from chatd.cli.known import Known
from chatd.cli.places import Places
from chatd.cli.roomstates import RoomStates
from chatd.cli.words import words_for

WORDS = Words(
    commands={
        "join": "ROOM",
        "goto": "PLACE",
        "msg": "NAME text",
        "me": "text",
        "bell": "[on|off]",
        "help": "[COMMAND]",
        "history": "[with NAME] [N]",
        "quit": "",
    },
    rooms=["lobby", "ops"],
    places=["lobby", "ops", "@bob"],
    names=["Bob", "bert", "alice"],
    writers=["zoe", "bob"],
)


class CompleteTests(SynchronousTestCase):
    def check(self, *cases):
        for before, found in cases:
            self.assertEqual(complete(before, WORDS), found, before)

    def test_names(self):
        """A name at the start of a line gets a colon, in any case of letters."""
        self.check(
            ("b", ["Bob: ", "bert: "]),
            ("BE", ["bert: "]),
            ("hello b", ["hello Bob ", "hello bert "]),
            ("one\nb", ["one\nBob ", "one\nbert "]),
            ("x", []),
            ("hello ", []),
        )

    def test_rooms(self):
        """In a message, a room completes a word that begins no name."""
        self.check(("see o", ["see ops "]), ("lob", ["lobby "]))

    def test_empty_line(self):
        """On an empty line, Tab begins an answer to the last person who wrote directly."""
        self.check(("", ["/msg zoe ", "/msg bob "]))

    def test_commands(self):
        """A slash begins a command, but two slashes or a path do not."""
        self.check(
            ("/m", ["/msg ", "/me "]),
            ("/JO", ["/join "]),
            ("/x", []),
            ("//jo", []),
            ("/etc/ho", []),
        )

    def test_arguments(self):
        """An argument is completed by words of its kind."""
        self.check(
            ("/join o", ["/join ops "]),
            ("/join ", ["/join lobby ", "/join ops "]),
            ("/goto @", ["/goto @bob "]),
            ("/msg b", ["/msg Bob ", "/msg bert "]),
            ("/MSG  al", ["/MSG  alice "]),
            ("/bell o", ["/bell on ", "/bell off "]),
            ("/help qu", ["/help quit "]),
            ("/history with al", ["/history with alice "]),
            ("/history with alice 1", []),
        )

    def test_text(self):
        """Names complete the text of a command; an empty word has no completion."""
        self.check(
            ("/msg bob ask al", ["/msg bob ask alice "]),
            ("/me greets al", ["/me greets alice "]),
            ("/msg bob ", []),
        )

    def test_nothing(self):
        """Arguments that a command lacks, and unknown commands, have no completion."""
        self.check(("/quit b", []), ("/join ops b", []), ("/whome b", []), ("/join  ops  ", []))

    @given(st.text(alphabet="/abjoin msg\n", max_size=12))
    def test_any_text(self, before):
        """A completion keeps the words before the last."""
        kept = before[: len(before) - len(before.rpartition(" ")[2].split("\n")[-1])]
        for found in complete(before, WORDS):
            self.assertTrue(found.startswith(kept) or not before)


class TabKeyTests(SynchronousTestCase):
    def test_cycle(self):
        """Pressed again, the key goes on to the next completion, and Shift goes back."""
        key = TabKey()
        text, seen = "b", []
        for step in (1, 1, 1, -1, -1):
            text = key.press(text, WORDS, step=step)
            seen.append(text)
        self.assertEqual(seen, ["Bob: ", "bert: ", "Bob: ", "bert: ", "Bob: "])
        self.assertEqual(key.press("b", WORDS, step=-1), "bert: ")

    def test_changed(self):
        """After other keys, it completes the new text."""
        key = TabKey()
        self.assertEqual(key.press("b", WORDS), "Bob: ")
        self.assertEqual(key.press("Bob: al", WORDS), "Bob: alice ")

    def test_nothing(self):
        """Without a completion, the text stays."""
        key = TabKey()
        for before in ("x", "x", "hello "):
            self.assertEqual(key.press(before, WORDS), before)


class ChoicesTests(SynchronousTestCase):
    def setUp(self):
        self.key = TabKey()

    def test_several(self):
        """Several choices are listed, without the text before them, and the present is marked."""
        text = self.key.press("hello b", WORDS)
        self.assertEqual(self.key.list(text, 80), " [Bob] bert")
        text = self.key.press(text, WORDS)
        self.assertEqual(self.key.list(text, 80), " Bob [bert]")
        self.key.press("b", WORDS)
        self.assertEqual(self.key.list("Bob: ", 80), " [Bob] bert")

    def test_none(self):
        """Nothing is listed for one choice, for none, before the key, or after another key."""
        self.assertIsNone(self.key.list("", 80))
        for text in ("al", "x"):
            self.assertIsNone(self.key.list(self.key.press(text, WORDS), 80))
        self.key.press("b", WORDS)
        self.assertIsNone(self.key.list("Bob: h", 80))

    def test_narrow(self):
        """If not all choices fit, those around the present choice are listed."""
        words = Words(names=["ann", "anne", "anna", "anon"])
        text, listed = "an", []
        for _ in words.names:
            text = self.key.press(text, words)
            listed.append(self.key.list(text, 14))
        self.assertEqual(listed, [" [ann] anne …", " ann [anne] …", " [anna] anon", " anna [anon]"])


class WordsTests(SynchronousTestCase):
    def test_order(self):
        """The people of the current place come first; the person's name does not come."""
        rooms = ["lobby", "ops"]
        places, states = Places(lambda: rooms), RoomStates()
        states.joined("lobby").list(["carol", "alice", "Bob"])
        states.joined("ops").list(["dave", "bob"])
        places.open("zoe")
        places.enter(places.all[1])
        words = words_for(places, states, Known(), "ALICE", {"quit": ""})
        self.assertEqual(words.names, ["bob", "dave", "carol", "zoe"])
        self.assertEqual(words.rooms, ["lobby", "ops"])
        self.assertEqual(words.places, ["lobby", "ops", "@zoe"])
        self.assertEqual(words.writers, ["zoe"])
        self.assertEqual(words.commands, {"quit": ""})

    def test_known(self):
        """Rooms of the last list complete too; `/unban` and `/uninvite` take the known names."""
        places, known = Places(lambda: ["lobby"]), Known()
        known.rooms = ["plans", "LOBBY"]
        known.banned = ["troll", "192.0.2.7"]
        known.list_invited("lobby", ["ann", "bob"])
        known.invite("LOBBY", "Bob")
        known.uninvite("lobby", "ANN")
        arguments = {name: command.arguments for name, command in COMMANDS.items()}
        words = words_for(places, RoomStates(), known, "alice", arguments)
        for before, choices in (
            ("/who pl", ["/who plans "]),
            ("/join ", ["/join lobby ", "/join plans "]),
            ("/unban ", ["/unban troll ", "/unban 192.0.2.7 "]),
            ("/uninvite ", ["/uninvite Bob "]),
            ("/uninvite Bob pl", ["/uninvite Bob plans "]),
        ):
            self.assertEqual(complete(before, words), choices)
        known.ban("Eve")
        known.ban("TROLL")
        known.unban("192.0.2.7")
        self.assertEqual(known.banned, ["TROLL", "Eve"])

    def test_most_used(self):
        """The commands that people type most come first."""
        arguments = dict.fromkeys((*COMMANDS, *ALIASES), "")
        words = words_for(Places(list), RoomStates(), Known(), "alice", arguments)
        for before, choice in (("/pa", "/part "), ("/na", "/names "), ("/q", "/query ")):
            self.assertEqual(complete(before, words)[0], choice)
