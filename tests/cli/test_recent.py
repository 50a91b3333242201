"""The last messages of each place."""

from twisted.trial.unittest import SynchronousTestCase

from chatd.cli.places import Place
from chatd.cli.recent import MAX_NEW, MAX_REPEATED_BYTES, NEAR, REPEATED, Recap, Recent, place_of
from tests.cli.wiring import said

OPS = Place("ops")


class RecentTests(SynchronousTestCase):
    def setUp(self):
        self.recent = Recent()
        self.line = 0

    def take(self, *texts, is_new=False, place=OPS, epoch="e", first=None):
        for number, text in enumerate(texts):
            self.line += 1
            message = said(text, seq=self.line if first is None else first + number)
            self.recent.take(place, message, epoch=epoch, line=self.line, is_new=is_new)

    def recap(self, place=OPS, *, later=0):
        """Show the last messages again, some lines later; return the seen and the new texts."""
        recap = self.recent.recap(place, self.line + later)
        if any(recap):
            self.recent.shown(place, self.line + later)
        return [message.text for message in recap.seen], [message.text for message in recap.new]

    def test_new(self):
        """New messages are shown again after some that were seen; then they are seen too."""
        self.take("one", "two")
        self.take("three", "four", is_new=True)
        self.assertEqual(self.recap(), (["one", "two"], ["three", "four"]))
        self.assertEqual(self.recap(later=1), ([], []))
        self.assertEqual(self.recap(later=NEAR), (["one", "two", "three", "four"], []))

    def test_order(self):
        """A message that the person wrote among new messages stays in its place."""
        self.take("one")
        self.take("two", is_new=True)
        self.take("three")
        self.take("four", is_new=True)
        self.assertEqual(self.recap(), (["one"], ["two", "three", "four"]))

    def test_shown_twice(self):
        """A message that is shown twice is kept once, in its place, as it was shown last."""
        self.take("one", "two", "three", first=1)
        self.take("four", first=4, is_new=True)
        self.take("two", "three", first=2)
        self.take("zero", first=0)
        self.assertEqual(self.recap(), (["zero", "one", "two", "three"], ["four"]))
        self.take("four", first=4)
        self.assertEqual(self.recap(later=NEAR), (["zero", "one", "two", "three", "four"], []))

    def test_epochs(self):
        """The same number under another epoch is another message, and comes after."""
        self.take("one", "two", first=1)
        self.take("new two", "new three", first=2, epoch="f")
        self.take("new one", first=1, epoch="f")
        texts = ["one", "two", "new one", "new two", "new three"]
        self.assertEqual(self.recap(later=NEAR), (texts, []))

    def test_too_many_earlier(self):
        """An earlier message does not push a later message out."""
        texts = [str(number) for number in range(1, MAX_NEW + 1)]
        self.take(*texts, first=1, is_new=True)
        self.take("zero", first=0, is_new=True)
        self.assertEqual(self.recap(), ([], texts))

    def test_unknown_place(self):
        """Messages without a number are kept as they come."""
        for text in ("one", "two"):
            message = said(text, seq=None)
            self.recent.take(OPS, message, epoch=None, line=1, is_new=True)
        self.assertEqual(self.recap(), ([], ["one", "two"]))

    def test_near(self):
        """Seen messages are shown again only if the last is not near the bottom any more."""
        self.take("one")
        self.assertEqual(self.recap(later=NEAR - 1), ([], []))
        self.assertEqual(self.recap(later=NEAR), (["one"], []))

    def test_near_again(self):
        """After messages were shown again, they are near the bottom."""
        self.take("one")
        self.assertEqual(self.recap(later=NEAR), (["one"], []))
        self.assertEqual(self.recap(later=NEAR + 1), ([], []))

    def test_not_shown(self):
        """Messages stay new until they were shown."""
        self.take("one", is_new=True)
        for _ in range(2):
            self.assertEqual(len(self.recent.recap(OPS, self.line).new), 1)

    def test_many(self):
        """Ten messages are shown again, or all new ones up to twenty."""
        texts = [str(number) for number in range(30)]
        self.take(*texts)
        self.assertEqual(self.recap(later=NEAR), (texts[-REPEATED:], []))
        self.take("a", "b", is_new=True)
        self.assertEqual(self.recap(), (texts[-REPEATED + 2 :], ["a", "b"]))
        self.take(*texts, is_new=True)
        self.assertEqual(self.recap(), ([], texts[-20:]))

    def test_nothing(self):
        """In a place without messages, nothing is shown."""
        self.assertEqual(self.recent.recap(OPS, 1_000), Recap([], []))

    def test_places(self):
        """Each place has its own, under the same name in all spellings."""
        self.take("one", is_new=True)
        self.take("two", place=Place(None, "ops"), is_new=True)
        self.assertEqual(self.recap(Place("OPS")), ([], ["one"]))

    def test_renamed(self):
        """The messages of a conversation stay when the person takes another name."""
        bob, robert = Place(None, "bob"), Place(None, "robert")
        self.take("one", place=bob, is_new=True)
        self.recent.renamed(bob, robert)
        self.recent.renamed(bob, robert)
        self.assertEqual(self.recap(robert), ([], ["one"]))

    def test_limits(self):
        """A very long message is not kept, and neither are too many places."""
        self.take("x" * (MAX_REPEATED_BYTES + 1), is_new=True)
        self.assertEqual(self.recap(), ([], []))
        self.take("one", is_new=True)
        for number in range(200):
            self.take("two", place=Place(f"r{number}"))
        self.assertEqual(self.recap(), ([], []))

    def test_place_of(self):
        """A message belongs to its room, or to the conversation with the other person."""
        self.assertEqual(place_of(said("hello", room="ops"), "alice"), OPS)
        direct = {"room": None, "sender": "bob", "to": "alice"}
        self.assertEqual(place_of(said("psst", **direct), "alice"), Place(None, "bob"))
        self.assertEqual(place_of(said("psst", **direct), "BOB"), Place(None, "alice"))
        self.assertIsNone(place_of(said("psst", room=None), "alice"))
