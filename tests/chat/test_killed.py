"""Tests of a daemon that is killed, in a chat of two daemons that share a redis-server."""

from tests.chat.cases import ChatCase, OverRedis
from tests.chat.wiring import codes, seqs, texts


class KilledTests(OverRedis, ChatCase):
    def setUp(self):
        super().setUp()
        self.bob = self.chat.arrive("bob")
        self.ann = self.chat.arrive("ann", account=True)
        self.hear(self.bob)

    def say_and_kill(self, text):
        """Let ann say something, and kill its daemon when Redis has it, before the receipt."""
        self.chat.begin_late()
        self.chat.say(self.ann, text, id="m1")
        self.chat.begin()
        while not texts(self.bob.told):
            self.chat.carry_to(self.bob.daemon)
            self.delivery.end_turn()
        self.chat.kill(self.ann.daemon)
        self.chat.end_late()
        self.assertEqual(self.ann.take(), [])

    def test_unconfirmed(self):
        """A message without a receipt that is sent again at the other daemon is delivered once."""
        self.say_and_kill("once")
        ann = self.chat.arrive("ann", account=True)
        self.chat.say(ann, "once", id="m1")
        self.chat.say(ann, "again")
        self.assertEqual(seqs(self.hear(ann)), [1, 2])
        self.assertEqual(texts(self.bob.take()), ["once", "again"])

    def test_other_content(self):
        """The other daemon refuses the id of such a message for another content."""
        self.say_and_kill("once")
        ann = self.chat.arrive("ann", account=True)
        self.chat.say(ann, "other", id="m1")
        self.assertEqual(codes(self.hear(ann)), ["id-reused"])

    def test_resume(self):
        """A member goes on at the other daemon after the last message that it read."""
        self.chat.say(self.bob, "one")
        self.hear(self.ann)
        epoch = self.chat.rooms["lobby"].epoch
        self.chat.kill(self.ann.daemon)
        for text in ("two", "three"):
            self.chat.say(self.bob, text)
        self.chat.end_turn()
        ann = self.chat.arrive("ann", account=True, rooms=())
        self.chat.command(ann, "join", room="lobby", after=1, epoch=epoch)
        self.chat.say(self.bob, "four")
        result, *told = self.hear(ann)
        self.assertIs(result.header["recovered"], True)
        self.assertEqual(texts(told), ["two", "three", "four"])
