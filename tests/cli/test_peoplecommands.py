"""The commands `/whois`, `/ignore` and `/unignore`."""

from chatd.cli import ignored
from chatd.cli.ignored import Ignored
from tests.cli.talking import CommandsCase, Talker


class WhoisTests(CommandsCase):
    def test_rooms(self):
        """It tells the rooms that both are in, and the away text."""
        for line in ("/join ops", "/away at lunch"):
            self.bob.type(line)
        self.bob.type("/join attic")
        self.alice.type("/join ops")
        self.assertEqual(
            self.alice.type("/whois BOB"), ["* bob is in lobby, ops", "* bob is away: at lunch"]
        )

    def test_nobody(self):
        """Somebody who is in none of the person's rooms may be elsewhere."""
        self.assertEqual(
            self.alice.type("/whois carol"),
            ["* carol is in none of your rooms, and may be elsewhere or not connected"],
        )

    def test_ignored(self):
        """It tells of somebody that the person ignores them."""
        self.alice.type("/ignore bob")
        self.assertEqual(self.alice.type("/whois bob"), ["* bob is in lobby", "* you ignore bob"])


class IgnoreTests(CommandsCase):
    def test_hidden(self):
        """The messages of an ignored person are not shown, and count as no unread messages."""
        self.assertEqual(
            self.alice.type("/ignore Bob"),
            ["* you ignore Bob until you leave; /unignore Bob ends that"],
        )
        self.alice.lines.clear()
        for line in ("hello alice", "/msg alice psst", "/leave", "/join lobby"):
            self.bob.type(line)
        self.assertEqual(self.alice.lines, [])
        self.assertEqual(self.alice.talk.places.unread, [])
        self.assertEqual(self.alice.type("/ignore"), ["* you ignore Bob"])
        self.assertEqual(self.alice.type("/unignore bob"), ["* you no longer ignore bob"])
        self.assertEqual(self.alice.type("/ignore"), ["* you ignore nobody"])
        self.alice.lines.clear()
        self.bob.type("hello")
        self.assertEqual(self.alice.lines, ["bob: hello"])

    def test_earlier(self):
        """The earlier messages of an ignored person are not shown either."""
        self.bob.type("hello")
        self.alice.type("it is me")
        self.alice.type("/ignore bob")
        self.assertEqual(self.alice.type("/history")[1:], ["| alice: it is me"])
        title, _ = self.alice.type("/search hello")
        self.assertTrue(title.endswith("“hello”: all are from people you ignore"), title)
        self.assertEqual(self.alice.type("/history with bob"), ["* there are no messages with bob"])
        self.bob.type("/msg alice psst")
        self.assertEqual(
            self.alice.type("/history with bob 1"),
            [
                "* the last message with bob; the server keeps no earlier ones: "
                "all are from people you ignore"
            ],
        )

    def test_unanswered(self):
        """Direct messages that an ignored person sent meanwhile are not shown."""
        self.bob.type("/msg carol psst")
        self.alice.type("/msg carol tea?")
        carol = Talker(self.reactor, "carol", ignored=Ignored(["bob"]))
        self.assertEqual(carol.lines[-2:], ["--- new ---", "alice → you: tea?"])
        self.assertNotIn("psst", "".join(carol.lines))

    def test_kept(self):
        """Where the names are kept, the note does not say that they are not."""
        carol = Talker(self.reactor, "carol", ignored=Ignored(save=lambda names: None))
        self.assertEqual(carol.type("/ignore bob"), ["* you ignore bob; /unignore bob ends that"])

    def test_mistakes(self):
        """One cannot ignore oneself or too many, or end what was not begun."""
        self.assertEqual(self.alice.mistype("/ignore ALICE"), "you cannot ignore yourself")
        self.assertIn("you do not ignore bob", self.alice.mistype("/unignore bob"))
        self.patch(ignored, "MAX_IGNORED", 0)
        self.assertIn("names; /unignore NAME", self.alice.mistype("/ignore bob"))
