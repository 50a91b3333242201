"""The commands `/history` and `/search`."""

from twisted.internet.defer import Deferred

from chatd import ChatFactory
from chatd.cli import browsing, searching
from chatd.cli.commands import act_on
from chatd.storage.memory import MemoryStore
from chatd.storage.values import Retention
from tests.cli.talking import CommandsCase, Talker

FIRST = "the server keeps no earlier ones"
ALL = "all that the server keeps"


def said(*numbers):
    """Return the shown lines of bob's messages."""
    return [f"| bob: line {number}" for number in range(*numbers)]


class HistoryTests(CommandsCase):
    def test_pages(self):
        """Each `/history` shows the page before the last one, up to the oldest message."""
        self.say(45)
        for title, numbers in (
            ("* the last 20 messages in lobby:", (25, 45)),
            ("* the 20 messages in lobby before those:", (5, 25)),
            (f"* the 5 messages in lobby before those; {FIRST}:", (0, 5)),
        ):
            self.assertEqual(self.alice.type("/history"), [title, *said(*numbers)])
        for _ in range(2):
            self.assertEqual(
                self.alice.type("/history"),
                [
                    "* the server keeps no messages in lobby before those; "
                    "/history 20 shows the last again"
                ],
            )

    def test_number(self):
        """A number begins with the newest messages again, and is the size of the next pages."""
        self.say(5)
        for line, title, numbers in (
            ("/history 2", "* the last 2 messages in lobby:", (3, 5)),
            ("/history", "* the 2 messages in lobby before those:", (1, 3)),
            ("/history", f"* the message in lobby before those; {FIRST}:", (0, 1)),
            ("/history 3", "* the last 3 messages in lobby:", (2, 5)),
            ("/history 1", "* the last message in lobby:", (4, 5)),
            ("/history 500", f"* the last 5 messages in lobby; {FIRST}:", (0, 5)),
        ):
            self.assertEqual(self.alice.type(line), [title, *said(*numbers)])
        self.assertIn("/history 500 shows the last again", self.alice.type("/history")[0])

    def test_full_last_page(self):
        """A last page that is full is marked as the last."""
        self.say(4)
        self.assertNotIn(FIRST, self.alice.type("/history 2")[0])
        self.assertIn(FIRST, self.alice.type("/history")[0])

    def test_new_messages_meanwhile(self):
        """Messages that come between two pages do not shift the pages."""
        self.say(4)
        self.alice.type("/history 2")
        self.say(3)
        self.assertEqual(self.alice.type("/history")[1:], said(0, 2))

    def test_with(self):
        """`/history` shows direct messages with another person, in both directions, by pages."""
        self.alice.type("/msg bob one")
        self.bob.type("/msg alice two")
        self.say(1)
        self.assertEqual(
            self.alice.type("/history with Bob 1"),
            ["* the last message with Bob:", "| bob → you: two"],
        )
        self.assertEqual(
            self.alice.type("/history WITH bob"),
            [f"* the message with bob before those; {FIRST}:", "| you → bob: one"],
        )
        self.assertEqual(
            self.alice.type("/history with bob"),
            [
                "* the server keeps no messages with bob before those; "
                "/history with bob 1 shows the last again"
            ],
        )

    def test_with_after_a_new_name(self):
        """`/history` shows direct messages with a renamed person once."""
        self.alice.type("/msg robert one")
        self.bob.type("/name robert")
        self.assertEqual(
            self.bob.type("/history with alice"),
            [f"* the last message with alice; {FIRST}:", "| alice → you: one"],
        )

    def test_own_new_name(self):
        """Under another name a person has other direct messages, and reads them from the newest."""
        for number in range(3):
            self.bob.type(f"/msg alice {number}")
        self.bob.type("/msg alicia hello")
        self.alice.type("/history with bob 1")
        self.alice.type("/name alicia")
        self.assertEqual(
            self.alice.type("/history with bob"),
            [f"* the last message with bob; {FIRST}:", "| bob → you: hello"],
        )

    def test_rooms(self):
        """Each room has its own page, also after switching to and fro."""
        self.alice.type("/join ops")
        self.bob.type("/join ops")
        self.say(4, room="ops")
        self.say(6)
        self.assertEqual(self.alice.type("/history 1")[1:], said(3, 4))
        self.alice.type("/join lobby")
        self.assertEqual(self.alice.type("/history 2")[1:], said(4, 6))
        self.alice.type("/join ops")
        self.assertEqual(self.alice.type("/history")[1:], said(2, 3))
        self.alice.type("/join LOBBY")
        self.assertEqual(self.alice.type("/history")[1:], said(2, 4))

    def test_join_again(self):
        """After leaving a room and joining it, the messages before the shown ones come first."""
        self.say(14)
        self.alice.type("/history 1")
        self.alice.type("/leave lobby")
        self.alice.type("/join lobby")
        self.assertEqual(
            self.alice.type("/history"),
            [f"* the 4 messages in lobby before those; {FIRST}:", *said(4)],
        )

    def test_out_of_sight(self):
        """If many lines were shown since the join, the first page has the newest messages."""
        self.say(14)
        for later, title in ((10, "the 4 messages in lobby before those"), (21, "the last 20")):
            self.alice.type("/leave lobby")
            self.alice.type("/join lobby")
            self.say(later)
            self.assertTrue(self.alice.type("/history")[0].startswith(f"* {title}"))

    def test_cleared(self):
        """After `/clear`, the first page has the newest messages again."""
        self.say(3)
        self.alice.type("/history")
        self.assertIn("keeps no messages", self.alice.type("/history")[0])
        self.alice.talk.browsing.screen_cleared()
        self.assertEqual(self.alice.type("/history")[1:], said(3))

    def test_nothing(self):
        """If there are no messages, a note says so."""
        for _ in range(2):
            for line, place in (("/history", "in lobby"), ("/history with eve", "with eve")):
                self.assertEqual(self.alice.type(line), [f"* there are no messages {place}"])

    def test_deleted_meanwhile(self):
        """If the server deletes the messages before a page, a note says so."""
        store = MemoryStore(Retention(max_messages=4), unix_time=self.reactor.seconds)
        self.reactor.restart(store=store)
        self.reactor.pass_until(lambda: self.alice.talk.is_connected)
        self.say(4)
        self.alice.type("/history 2")
        self.say(4)
        (note,) = self.alice.type("/history")
        self.assertIn("the server keeps no messages in lobby before those", note)

    def test_typed_twice_at_once(self):
        """Two commands that are typed before the first answer show two pages."""
        self.say(4)
        self.alice.type("/history 1")
        before = len(self.alice.lines)
        for _ in range(2):
            Deferred.fromCoroutine(act_on(self.alice.talk, "/history"))
        self.reactor.settle()
        self.assertEqual(
            [line for line in self.alice.lines[before:] if line.startswith("|")],
            [*said(2, 3), *said(1, 2)],
        )

    def test_restarted_server(self):
        """After a reconnect, the pages go on if the server still has them, or begin again."""
        self.say(4)
        self.alice.type("/history 1")
        self.reactor.restart()
        self.reactor.pass_until(lambda: self.alice.talk.is_connected)
        self.assertEqual(self.alice.type("/history")[1:], said(2, 3))
        self.reactor.restart(ChatFactory, store=None)
        self.reactor.pass_until(lambda: self.alice.talk.is_connected)
        self.assertEqual(self.alice.type("/history"), ["* there are no messages in lobby"])
        self.alice.type("hello")
        self.assertEqual(
            self.alice.type("/history"),
            [f"* the last message in lobby; {FIRST}:", "| alice: hello"],
        )

    def test_many_places(self):
        """The client knows the last pages of some places, and forgets the oldest."""
        self.patch(browsing, "MAX_MARKS", 2)
        for number in range(2):
            for name in ("ann", "bea", "cat"):
                self.alice.type(f"/msg {name} {number}")
        for name in ("ann", "bea", "ann", "cat"):
            self.alice.type(f"/history with {name} 1")
        self.assertIn("before those", self.alice.type("/history with cat")[0])
        self.assertIn("before those", self.alice.type("/history with ann")[0])
        self.assertIn("the last 2", self.alice.type("/history with bea")[0])

    def test_after_joining(self):
        """After joining, `/history` goes on before the messages that joining has shown."""
        self.say(15)
        carol = Talker(self.reactor, "carol")
        self.assertEqual(carol.lines[-1], "| bob: line 14")
        shown = carol.type("/history")
        self.assertIn("the 5 messages in lobby before those; the server keeps no", shown[0])
        self.assertEqual(shown[1:], [f"| bob: line {number}" for number in range(5)])
        self.assertIn("the server keeps no messages", carol.type("/history")[0])
        self.assertIn("the last 3 messages", carol.type("/history 3")[0])

    def test_after_all_was_shown(self):
        """If joining has shown all, `/history` says so, and how to see them again."""
        self.say(3)
        carol = Talker(self.reactor, "carol")
        (line,) = carol.type("/history")
        self.assertTrue(line.endswith(" before those; /history 20 shows the last again"), line)

    def test_after_missed_messages(self):
        """It goes on before the direct messages that connecting has shown, too."""
        for number in range(15):
            self.bob.type(f"/msg dave {number}")
        dave = Talker(self.reactor, "dave")
        shown = dave.type("/history with bob")
        self.assertEqual(shown[1:], [f"| bob → you: {number}" for number in range(5)])

    def test_no_numbers(self):
        """The client reports an invalid or misplaced number of messages."""
        for number in ("0", "501", "-1", "x", "1.5", "²", "٣"):
            problem = self.alice.mistype(f"/history {number}")
            advice = "; /history with x shows direct messages" if number == "x" else ""
            self.assertEqual(problem, f"/history shows 1 to 500 messages, not {number}{advice}")
        for words in ("1 2", "of bob"):
            problem = self.alice.mistype(f"/history {words}")
            self.assertEqual(problem, "too many arguments: /history [with NAME] [N]")
        self.assertEqual(
            self.alice.mistype("/history with"),
            "a name is missing: /history with NAME shows your direct messages with NAME",
        )


class SearchTests(CommandsCase):
    def test_found(self):
        """The search shows the messages with the text in order, and then how far it got."""
        for line in ("Tea is ready", "coffee", "no TEA left", "steady"):
            self.bob.type(line)
        self.alice.lines.clear()
        self.assertEqual(
            self.alice.type("/search tea"),
            [
                "* the last 3 messages in lobby containing “tea”:",
                "| bob: Tea is ready",
                "| bob: no TEA left",
                "| bob: steady",
                f"* searched 4 messages, {ALL}",
            ],
        )

    def test_text_of_several_words(self):
        """The text may have several words; the kind and the number of spaces do not matter."""
        self.bob.type("the\tbuild   is done")
        self.alice.lines.clear()
        self.assertEqual(
            self.alice.type("/search  the  build is"),
            [
                "* the last message in lobby containing “the build is”:",
                "| bob: the build is done",
                f"* searched 1 message, {ALL}",
            ],
        )

    def test_with(self):
        """The direct messages with a person are searched, in both directions."""
        self.alice.type("/msg bob tea?")
        self.bob.type("/msg alice no tea")
        self.bob.type("tea")
        self.alice.lines.clear()
        self.assertEqual(
            self.alice.type("/search with Bob tea"),
            [
                "* the last 2 messages with Bob containing “tea”:",
                "| you → bob: tea?",
                "| bob → you: no tea",
                f"* searched 2 messages, {ALL}",
            ],
        )

    def test_nothing_found(self):
        """If the search finds no message, or there are none, a note says so."""
        self.assertEqual(self.alice.type("/search tea"), ["* there are no messages in lobby"])
        self.say(3)
        self.assertEqual(
            self.alice.type("/search tea"),
            [f"* “tea”: nothing found; searched 3 messages in lobby, {ALL}"],
        )

    def test_goes_on(self):
        """Without a text, a search shows the page before, under a title, and counts on."""
        self.patch(searching, "MAX_FOUND", 2)
        self.say(5)
        *shown, far = self.alice.type("/search LINE")
        self.assertEqual(shown, ["* the last 2 messages in lobby containing “LINE”:", *said(3, 5)])
        self.assertRegex(
            far,
            r"^\* searched 2 messages, back to \d{4}-\d\d-\d\d \d\d:\d\d; /search goes on$",
        )
        self.say(1)
        *shown, far = self.alice.type("/search")
        before = "in lobby containing “LINE” before those:"
        self.assertEqual(shown, [f"* the 2 messages {before}", *said(1, 3)])
        self.assertIn("searched 4 messages", far)
        far = f"* searched 5 messages, {ALL}"
        self.assertEqual(self.alice.type("/search"), [f"* the message {before}", *said(0, 1), far])
        done = f"* “LINE”: 5 found; searched 5 messages in lobby, {ALL}"
        self.assertEqual(self.alice.type("/search"), [done])

    def test_ignored(self):
        """The messages of ignored people are not shown."""
        self.bob.type("tea")
        self.alice.type("more tea")
        self.alice.type("/ignore bob")
        self.assertEqual(
            self.alice.type("/search tea")[:-1],
            ["* the last 2 messages in lobby containing “tea”:", "| alice: more tea"],
        )

    def test_goes_on_without_a_connection(self):
        """Without a connection, a search does not go on, and does not show its last page again."""
        self.patch(searching, "MAX_FOUND", 1)
        self.say(2)
        self.alice.type("/search line")
        self.reactor.server.shut_down()
        self.reactor.settle()
        self.alice.lines.clear()
        self.assertIn("not connected", self.alice.mistype("/search"))
        self.assertEqual(self.alice.lines, [])

    def test_wrong_arguments(self):
        """A search needs a text, unless an earlier search can go on."""
        for line, problem in (
            ("/search", "there is no search to go on with; /search TEXT begins one"),
            ("/search with bob", "give the text to find: /search with bob TEXT"),
            (
                "/search with",
                "a name is missing: /search with NAME TEXT searches your direct messages with NAME",
            ),
        ):
            self.assertEqual(self.alice.mistype(line), problem)
        self.assertIn("a name has 1 to 32", self.alice.mistype(f"/search with {'x' * 33} tea"))

    def test_no_room(self):
        """A person in no room can search direct messages only."""
        self.alice.type("/leave")
        self.assertIn("you are in no room", self.alice.mistype("/search tea"))
        self.assertIn("no messages with eve", self.alice.type("/search with eve tea")[0])

    def test_refused(self):
        """The client shows a refusal: here the search goes on in a room that the person left."""
        self.alice.type("/join ops")
        self.alice.type("hello")
        self.patch(searching, "MAX_FOUND", 1)
        self.alice.type("/search hello")
        self.alice.talk.browsing.search.is_over = False
        self.alice.type("/leave")
        self.assertEqual(self.alice.type("/search"), ["* /search: you are not in ops"])


class InterruptedTests(CommandsCase):
    """A search that is interrupted between two pages."""

    def setUp(self):
        super().setUp()
        self.patch(searching, "MAX_PAGE", 2)
        self.say(6)

    def begin(self):
        """Search as alice; return when she has the first page of three."""
        Deferred.fromCoroutine(act_on(self.alice.talk, "/search line"))
        while "searched 2" not in self.alice.talk.browsing.search.summary:
            self.reactor.settle_once()
        self.assertEqual(self.alice.lines, [])

    def test_by_a_command(self):
        """A command stops the search, which says how far it got, and can go on."""
        self.begin()
        *shown, stopped, answer = self.alice.type("/who")
        self.assertEqual(shown, ["* the last 2 messages in lobby containing “line”:", *said(4, 6)])
        self.assertEqual(answer, "* 2 in lobby: alice, bob")
        self.assertIn("* the search was stopped: searched 2 messages", stopped)
        self.assertIn("/search goes on", stopped)
        self.assertEqual(
            self.alice.type("/search")[:-1],
            ["* the 4 messages in lobby containing “line” before those:", *said(4)],
        )

    def test_by_another_search(self):
        """So does another search."""
        self.begin()
        shown = self.alice.type("/search line 5")
        self.assertEqual(shown[-2], "| bob: line 5")
        self.assertIn("searched 6 messages", shown[-1])

    def test_not_by_a_message(self):
        """A message does not stop the search."""
        self.begin()
        self.alice.type("hello")
        self.assertIn(f"* searched 6 messages, {ALL}", self.alice.lines)

    def test_at_once(self):
        """A search that is stopped before its first page says so."""
        Deferred.fromCoroutine(act_on(self.alice.talk, "/search line"))
        self.alice.type("/who")
        self.assertEqual(self.alice.lines[0], "* the search was stopped: nothing is searched yet")

    def test_by_the_end_of_the_connection(self):
        """If the connection is lost, the search says how far it got, and can go on later."""
        self.begin()
        self.alice.client.transport.abortConnection()
        self.reactor.settle()
        (note,) = [line for line in self.alice.lines if "search" in line]
        self.assertIn("* the connection was lost: searched 4 messages, back", note)
        self.assertEqual([line for line in self.alice.lines if line.startswith("|")], said(2, 6))
        self.reactor.pass_until(lambda: self.alice.talk.is_connected)
        self.assertIn("searched 6 messages", self.alice.type("/search")[-1])

    def test_by_leaving(self):
        """A person who leaves sees what was found, and that the search has no answer."""
        self.begin()
        self.successResultOf(self.alice.leave())
        self.assertEqual(
            self.alice.lines[1:],
            [*said(4, 6), "* /search: the connection was lost before the server answered"],
        )


class OldServerTests(CommandsCase):
    def test_reads_on(self):
        """A person who comes later can search and read earlier messages of others."""
        self.say(3)
        carol = Talker(self.reactor, "carol")
        self.assertIn("searched 3 messages", carol.type("/search line")[-1])
        self.assertEqual(carol.type("/history 1")[1:], said(2, 3))
