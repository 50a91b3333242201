"""Tests of the hub: the members and their names, and direct messages."""

import random
import unicodedata

from chatd.chat import presence
from chatd.chat.names import fold
from chatd.errors import RequestError
from chatd.storage.streamkeys import direct_stream
from tests.chat.cases import ChatCase
from tests.chat.wiring import at_once, codes, is_result, is_said, seqs, texts

ZOE = "Zo\u00eb"
ALIKE = (ZOE, unicodedata.normalize("NFD", ZOE), ZOE.upper(), ZOE.casefold())


class NamesTests(ChatCase):
    is_over_redis = True

    def test_taken(self):
        """The server refuses a name in use, in any case or form, until it is free."""
        zoe = self.chat.arrive(ZOE)
        bob = self.chat.arrive("bob")
        self.chat.end_turn()
        for name in ALIKE:
            self.assert_refused("name-taken", bob, "name", name=name)
        self.delivery.vanish(zoe)
        self.assertEqual(self.ask(bob, "name", name=ALIKE[1]), {"name": ZOE})

    def test_bad(self):
        """The server refuses a bad name, and a name that is far too long before it processes it."""
        ann = self.chat.arrive("ann")
        folded = fold.cache_info().misses
        for name in ("", "x" * 33, "a b", "a\n", "x" * 60_000):
            self.assert_refused("bad-name", ann, "name", name=name)
            with self.assertRaises(RequestError):
                at_once(ann.daemon.roster.rename(ann, name))
        self.assertEqual(fold.cache_info().misses, folded)
        self.assertEqual((ann.name, self.chat.sessions_of("ann")), ("ann", [ann]))

    def test_sessions(self):
        """The server finds the sessions of a name under each spelling, until they depart."""
        zoe = self.chat.arrive(ZOE)
        for name in ALIKE:
            self.assertEqual(self.chat.sessions_of(name), [zoe])
        self.assertEqual(self.chat.people, [zoe])
        self.delivery.vanish(zoe)
        self.assertEqual(self.chat.sessions_of(ZOE), [])
        self.assertEqual(self.chat.people, [])

    def test_no_way_back(self):
        """A member that has departed cannot enter a room."""
        ann = self.chat.arrive("ann")
        bob = self.chat.arrive("bob")
        self.delivery.vanish(ann)
        ann.daemon.roster.enter(ann, bob.rooms["lobby"])
        self.assertEqual(list(bob.rooms["lobby"].members), [bob.id])


class PresenceTests(ChatCase):
    is_over_redis = True

    def setUp(self):
        super().setUp()
        self.ann = self.chat.arrive("ann")
        self.chat.end_turn()

    def test_joined(self):
        """The members of a room get an event about a new member; the new member gets none."""
        bob = self.chat.arrive("bob")
        self.assertEqual(self.hear(self.ann), [presence.joined("lobby", "bob")])
        self.assertEqual(bob.take(), [])

    def test_left(self):
        """The members that stay get an event about a member that leaves or vanishes."""
        bob, cat = self.chat.arrive("bob"), self.chat.arrive("cat")
        self.hear(self.ann)
        bob.take()
        self.ask(bob, "leave", room="lobby")
        self.delivery.vanish(cat)
        left = [presence.left("lobby", name) for name in ("bob", "cat")]
        self.assertEqual(self.hear(self.ann), left)
        self.assertEqual(bob.take(), [])

    def test_said_before_coming(self):
        """A new member gets the later messages of the same turn, but not the earlier ones."""
        self.chat.say(self.ann, "before")
        self.chat.begin()
        bob = self.chat.arrive("bob")
        self.chat.say(self.ann, "after")
        self.assertEqual(texts(self.hear(bob)), ["after"])
        self.assertEqual(texts(self.ann.take()), ["before", "after"])

    def test_said_before_leaving(self):
        """A member that leaves gets the earlier messages of the same turn, but not later ones."""
        bob = self.chat.arrive("bob")
        self.chat.say(self.ann, "before")
        self.chat.begin()
        bob.daemon.roster.quit(bob, bob.rooms["lobby"])
        self.chat.say(self.ann, "after")
        self.assertEqual(texts(self.hear(bob)), ["before"])

    def test_one_account_in_two_sessions(self):
        """A name's first arrival and last departure are announced, and it counts once."""
        one = self.chat.arrive("bob", account=True)
        two = self.chat.arrive("BOB", account=True)
        self.assertEqual(self.hear(self.ann), [presence.joined("lobby", "bob")])
        who = self.ask(self.ann, "who", room="lobby")
        self.assertEqual((who["members"], len(who["names"])), (2, 2))
        self.ask(one, "leave", room="lobby")
        self.assertEqual(self.hear(self.ann), [])
        self.delivery.vanish(two)
        self.assertEqual(self.hear(self.ann), [presence.left("lobby", "BOB")])

    def test_account_is_nobody_elses(self):
        """A guest cannot take an account's name, and an account cannot take a guest's."""
        self.chat.arrive("bob", account=True)
        with self.assertRaises(RequestError):
            self.chat.arrive("Bob")
        with self.assertRaises(RequestError):
            self.chat.arrive("ann", account=True)


class StoppingTests(ChatCase):
    only_one_daemon = "the members at other daemons get events when a daemon stops"

    def test_silent(self):
        """When all members depart, no member gets an event."""
        ann, bob = self.chat.arrive("ann"), self.chat.arrive("bob")
        self.hear(ann)
        bob.daemon.roster.depart(bob, is_silent=True)
        self.assertEqual(self.hear(ann), [])
        self.assertEqual(self.chat.rooms["lobby"].members, [ann.id])


class PresenceLimitTests(ChatCase):
    is_over_redis = True

    def test_limit(self):
        """Members get events about arrivals, departures and renames only up to the limit."""
        chat = self.make_chat(presence_limit=3)
        ann, bob, cat = (chat.arrive(name) for name in ("ann", "bob", "cat"))
        chat.end_turn()
        ann.take()
        chat.command(cat, "name", name="kit")
        chat.end_turn()
        self.assertEqual(ann.take(), [presence.renamed("cat", "kit")])
        dan = chat.arrive("dan")
        chat.command(dan, "name", name="don")
        chat.command(bob, "name", name="bert")
        chat.command(dan, "leave", room="lobby")
        chat.end_turn()
        self.assertEqual(ann.take(), [])
        chat.command(bob, "leave", room="lobby")
        chat.end_turn()
        self.assertEqual(ann.take(), [presence.left("lobby", "bert")])


class RenameTests(ChatCase):
    is_over_redis = True

    def setUp(self):
        super().setUp()
        self.ann = self.chat.arrive("ann", rooms=("tea", "coffee"))
        self.bob = self.chat.arrive("bob", rooms=("tea", "coffee"))
        self.chat.end_turn()
        self.ann.take()

    def test_told_once(self):
        """Each member that shares rooms gets one event; the renamed member gets the RESULT."""
        cat = self.chat.arrive("cat", rooms=("coffee",))
        dan = self.chat.arrive("dan", rooms=("cocoa",))
        self.chat.end_turn()
        self.bob.take()
        self.assertEqual(self.ask(self.ann, "name", name="anna"), {"name": "anna"})
        renamed = [presence.renamed("ann", "anna")]
        for person, told in ((self.bob, renamed), (cat, renamed), (dan, [])):
            self.assertEqual(self.hear(person), told)
        self.assertNotIn(renamed[0], self.ann.take())

    def test_of_two(self):
        """The only other member of a room gets the event, too."""
        self.ask(self.ann, "name", name="anna")
        self.assertEqual(self.hear(self.bob), [presence.renamed("ann", "anna")])

    def test_stays(self):
        """A renamed member stays in its rooms, in their order, and counts as before."""
        self.ask(self.ann, "name", name="anna")
        self.assertEqual(list(self.ann.rooms), ["tea", "coffee"])
        for room in ("tea", "coffee"):
            self.assertEqual(self.ask(self.bob, "who", room=room)["names"], ["anna", "bob"])
        self.chat.say(self.ann, "hello")
        (said,) = [each for each in self.hear(self.bob) if is_said(each)]
        self.assertEqual(said.sender, "anna")
        self.delivery.vanish(self.ann)
        self.assertEqual(self.chat.rooms["tea"].count, 1)

    def test_before_its_messages(self):
        """The others hear of the new name before what the member says after the RESULT."""
        self.chat.begin_late()
        self.chat.command(self.ann, "name", name="anna")
        while not any(map(is_result, self.ann.told)):
            self.chat.carry_one(random)
        self.chat.say(self.ann, "hello")
        self.chat.begin()
        self.chat.end_late()
        event, said = self.hear(self.bob)
        self.assertEqual((event, said.sender), (presence.renamed("ann", "anna"), "anna"))

    def test_old_name_is_free(self):
        """The old name is free, and no session has it any more."""
        self.ask(self.ann, "name", name="anna")
        self.assertEqual(self.chat.sessions_of("ann"), [])
        self.assertEqual(self.ask(self.bob, "name", name="Ann"), {"name": "Ann"})

    def test_other_spelling(self):
        """A member can take another spelling of its name; the others get an event."""
        self.assertEqual(self.ask(self.ann, "name", name="ANN"), {"name": "ANN"})
        self.assertEqual(self.hear(self.bob), [presence.renamed("ann", "ANN")])
        self.assert_refused("name-taken", self.bob, "name", name="ann")

    def test_same(self):
        """If a member takes the name that it has, no member gets an event."""
        self.ask(self.ann, "name", name="ann")
        self.assertEqual(self.hear(self.bob), [])

    def test_account(self):
        """An account keeps its name."""
        cat = self.chat.arrive("cat", account=True)
        self.assert_refused("not-allowed", cat, "name", name="kit")
        self.assertEqual(self.chat.sessions_of("cat"), [cat])

    def test_what_was_said_to_the_old_name(self):
        """A message to a name in the same turn reaches the member, even if it is renamed then."""
        self.chat.say(self.bob, "psst", to="ann")
        self.chat.begin()
        for person, name in ((self.ann, "anna"), (self.bob, "bert")):
            self.chat.command(person, "name", name=name)
            self.assertEqual(texts(self.hear(person)), ["psst"])


class DirectTests(ChatCase):
    is_over_redis = True

    def setUp(self):
        super().setUp()
        self.ann = self.chat.arrive("ann")
        self.bobs = [self.chat.arrive(name, account=True, rooms=()) for name in ("Bob", "bob")]
        self.cat = self.chat.arrive("cat")
        self.chat.end_turn()
        self.ann.take()

    def test_both_ends(self):
        """Each session of both names gets a direct message once; no other session gets it."""
        for sender, to in ((self.ann, "BOB"), (self.bobs[0], "Ann")):
            self.chat.say(sender, "psst", to=to)
            heard = [self.hear(person) for person in (self.ann, *self.bobs)]
            self.assertEqual([texts(told) for told in heard], [["psst"]] * 3)
            self.assertEqual(heard[0], heard[1])
            self.assertEqual(self.cat.take(), [])

    def test_header(self):
        """A direct message has the sender's name, the recipient's own spelling, and no room."""
        self.chat.say(self.ann, "psst", to="BOB", id="m1")
        (said,) = self.hear(self.ann)
        header = said.header
        told = (header.id, header.sender, header.to, header.room, header.seq, header.time)
        self.assertEqual(told, ("m1", "ann", "Bob", None, 1, self.chat.now))

    def test_order(self):
        """Each pair of names has its own order, in both directions."""
        for sender, to in ((self.ann, "bob"), (self.bobs[1], "ann"), (self.ann, "cat")):
            self.chat.say(sender, "psst", to=to)
        self.chat.say(self.ann, "aloud")
        self.assertEqual(seqs(self.hear(self.bobs[0])), [1, 2])
        self.assertEqual(sorted(seqs(self.ann.take())), [1, 1, 1, 2])

    def test_to_oneself(self):
        """Each session of a name gets a message of that name to itself once."""
        self.chat.say(self.bobs[0], "remember", to="bob")
        for bob in self.bobs:
            self.assertEqual(seqs(self.hear(bob)), [1])

    def test_absent(self):
        """The server keeps a message to a name without sessions; `absent` follows the receipt."""
        self.chat.say(self.ann, "psst", to="Dan", id="m1")
        said, absent = self.hear(self.ann)
        self.assertEqual((said.text, said.to), ("psst", "Dan"))
        self.assertEqual(absent, presence.absent("Dan", "m1"))
        dan = self.chat.arrive("dan")
        result = self.ask(dan, "history", **{"with": "ANN"})
        self.assertEqual((result["count"], texts(dan.take())), (1, ["psst"]))

    def test_refused(self):
        """The hub refuses a message both to a room and to a name, and a message to a bad name."""
        self.chat.say(self.ann, "psst", to="bob", room="lobby")
        self.chat.say(self.ann, "psst", to="b b")
        self.assertEqual(codes(self.hear(self.ann)), ["bad-request", "bad-name"])
        self.assertEqual(self.store.appends, [])
        self.assertFalse(self.store.has(direct_stream("ann", "bob")))

    def test_alike(self):
        """A message to another spelling of a name reaches the same name, in the same order."""
        zoe = self.chat.arrive(ZOE)
        for name in ALIKE:
            self.chat.say(self.ann, "psst", to=name)
        self.assertEqual(seqs(self.hear(zoe)), [1, 2, 3, 4])
