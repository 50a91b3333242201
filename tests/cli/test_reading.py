"""Where the messages begin that a person has not seen."""

from tests.cli.talking import CommandsCase
from tests.cli.wiring import said


class ArrivalTests(CommandsCase):
    def setUp(self):
        super().setUp()
        for talker in (self.bob, self.alice):
            talker.type("/join ops")
        self.alice.lines.clear()

    def test_new(self):
        """In a place that the person comes to, a rule stands before what came meanwhile."""
        self.alice.type("seen")
        self.alice.type("/goto lobby")
        self.bob.type("one")
        self.bob.type("two")
        shown = [
            "* your lines go to ops now",
            "* earlier messages in ops:",
            "| alice: seen",
            "--- new ---",
            "[ops] bob: one",
            "[ops] bob: two",
        ]
        self.assertEqual(self.alice.type("/goto ops"), shown)
        self.alice.type("/goto lobby")
        self.assertEqual(self.alice.type("/goto ops"), shown[:1])

    def test_out_of_sight(self):
        """Messages that are far up on the screen are shown again under a title, without a rule."""
        self.alice.type("seen")
        self.alice.type("/query bob and this")
        self.alice.type("/goto lobby")
        for number in range(10):
            self.alice.type(f"line {number}")
        for line, shown in (
            ("/goto ops", ["* earlier messages in ops:", "| alice: seen"]),
            ("/goto bob", ["* earlier messages with bob:", "| you → bob: and this"]),
        ):
            self.assertEqual(self.alice.type(line)[1:], shown)

    def test_joined_again(self):
        """Messages that the person saw before leaving a room are shown once after the return."""
        for text in ("one", "two", "three"):
            self.bob.type(text)
        for _ in range(2):
            self.alice.type("/leave ops")
            self.alice.type("/join ops")
        self.alice.type("/goto lobby")
        for number in range(10):
            self.alice.type(f"line {number}")
        earlier = [f"| bob: {text}" for text in ("one", "two", "three")]
        shown = ["* your lines go to ops now", "* earlier messages in ops:", *earlier]
        self.assertEqual(self.alice.type("/goto ops"), shown)

    def test_another_epoch(self):
        """Messages of before the server's restart stay, before those of the new order."""
        for text in ("one", "two"):
            self.bob.type(text)
        self.alice.type("/leave ops")
        self.reactor.restart(store=None)
        self.reactor.pass_until(lambda: self.alice.talk.is_connected)
        self.bob.type("anew")
        self.alice.type("/join ops")
        self.alice.type("/goto lobby")
        for number in range(10):
            self.alice.type(f"line {number}")
        earlier = [f"| bob: {text}" for text in ("one", "two", "anew")]
        self.assertEqual(self.alice.type("/goto ops")[2:], earlier)

    def test_near_again(self):
        """Messages that were shown again just now are not shown a third time."""
        for number in range(10):
            self.alice.type(f"line {number}")
        self.alice.type("/goto lobby")
        for number in range(10):
            self.alice.type(f"line {number}")
        self.assertEqual(len(self.alice.type("/goto ops")), 12)
        self.alice.type("/query bob")
        self.assertEqual(self.alice.type("/goto ops"), ["* your lines go to ops now"])

    def test_bell(self):
        """The bell does not ring again for a new message that is shown again."""
        self.alice.type("/bell on")
        self.alice.type("/goto lobby")
        self.bob.type("alice: tea?")
        self.assertEqual(self.alice.lines[-1], "\a[ops] bob: alice: tea?")
        self.reactor.advance(1)
        self.assertEqual(self.alice.type("/goto ops")[-1], "[ops] bob: alice: tea?")

    def test_many(self):
        """If too many messages came, the rule tells how many."""
        self.alice.type("/goto lobby")
        for number in range(30):
            self.bob.type(f"line {number}")
        shown = self.alice.type("/goto ops")
        self.assertEqual(shown[1], "--- new: the last 20 of 30 ---")
        self.assertEqual(len(shown), 22)

    def test_after_leaving(self):
        """So it is in the place that the person comes to by leaving another, or by closing it."""
        for enter, leave in (("/goto lobby", "/leave"), ("/query carol", "/query")):
            self.alice.type(enter)
            self.bob.type("one")
            self.assertEqual(self.alice.type(leave)[1:][-2:], ["--- new ---", "bob: one"])
            self.assertEqual(self.alice.talk.places.unread, [])

    def test_still_there(self):
        """Leaving another place than the current one shows nothing again."""
        self.alice.type("seen")
        for number in range(20):
            self.alice.type(f"/msg bob {number}")
        for line in ("/leave lobby", "/leave @bob"):
            self.assertEqual(len(self.alice.type(line)), 1)

    def test_own_among_new(self):
        """What the person wrote from elsewhere stays in order, below the rule, and is not new."""
        self.alice.type("/goto lobby")
        self.bob.type("one")
        self.alice.talk.say("mine", room="ops")
        self.bob.type("two")
        self.assertEqual(
            self.alice.type("/goto ops")[1:],
            ["--- new ---", "[ops] bob: one", "[ops] alice: mine", "[ops] bob: two"],
        )

    def test_own_among_ignored(self):
        """No rule stands before own messages alone."""
        self.alice.type("/goto lobby")
        self.bob.type("one")
        self.alice.talk.say("mine", room="ops")
        self.alice.type("/ignore bob")
        self.assertEqual(
            self.alice.type("/goto ops")[1:], ["* earlier messages in ops:", "| alice: mine"]
        )

    def test_ignored(self):
        """The messages of a person who is ignored meanwhile are not shown again."""
        self.alice.type("/goto lobby")
        self.bob.type("one")
        self.alice.type("/ignore bob")
        self.assertEqual(self.alice.type("/goto ops"), ["* your lines go to ops now"])

    def test_renamed(self):
        """A conversation with somebody who takes another name keeps its new messages."""
        self.bob.type("/msg alice psst")
        self.bob.type("/name robert")
        self.assertEqual(
            self.alice.type("/query robert"),
            ["* your lines go to @robert now", "--- new ---", "bob → you: psst"],
        )


class AwayTests(CommandsCase):
    def test_server(self):
        """A message from the server to this session alone is shown, and belongs to no place."""
        self.alice.talk.incoming.message(said("hello", sender="server", room=None), "alice")
        self.assertEqual(self.alice.lines, ["server: hello"])
        self.assertEqual(len(self.alice.talk.places.all), 1)

    def test_away(self):
        """While the person is away, a rule stands before the first message of another."""
        self.alice.type("/away at lunch")
        self.alice.lines.clear()
        for line in ("one", "two"):
            self.bob.type(line)
        self.assertEqual(self.alice.lines, ["--- new ---", "bob: one", "bob: two"])

    def test_direct(self):
        """It stands before the first message of another, whatever its place is."""
        self.alice.type("/away at lunch")
        self.alice.lines.clear()
        self.bob.type("/msg alice psst")
        self.bob.type("one")
        rule = "--- new ---"
        shown = [line for line in self.alice.lines if not line.startswith("*")]
        self.assertEqual(shown, [rule, "bob → you: psst", "bob: one"])

    def test_back(self):
        """There is none once the person is back, or says something."""
        for line in ("/away", "it is me"):
            self.alice.type("/away at lunch")
            self.alice.type(line)
            self.alice.lines.clear()
            self.bob.type("one")
            self.assertEqual(self.alice.lines, ["bob: one"])
