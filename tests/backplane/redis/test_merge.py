"""The merge of all sources of a stream's messages."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.backplane.redis.merge import Merge

SOURCES = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 4)),
        st.tuples(st.sampled_from(["push", "drop", "repeat", "announce"]), st.integers(0, 9)),
        st.tuples(st.just("fill"), st.integers(1, 5)),
        st.tuples(st.just("own"), st.integers(1, 3)),
    ),
    max_size=60,
)


class MergeTests(SynchronousTestCase):
    def test_offered(self):
        """Only messages after the position are new, and they move it forward."""
        merge = Merge("e", 3)
        self.assertEqual(merge.offer(1, "abc"), "")
        self.assertEqual(merge.offer(3, "cde"), "de")
        self.assertEqual(merge.seq, 5)
        self.assertEqual(merge.offer(6, "f"), "f")
        self.assertFalse(merge.has_gap)

    def test_gap(self):
        """Messages beyond a gap are dropped, and the gap is to be read to their end."""
        merge = Merge("e", 0)
        self.assertEqual(list(merge.offer(3, "cd")), [])
        self.assertEqual((merge.seq, merge.has_gap), (0, True))
        self.assertEqual(merge.offer(1, "ab"), "ab")
        self.assertTrue(merge.has_gap)
        self.assertEqual(merge.offer(3, "cd"), "cd")
        self.assertFalse(merge.has_gap)

    def test_announced(self):
        """A message that is only announced is a gap."""
        merge = Merge("e", 1)
        merge.announce(1)
        self.assertFalse(merge.has_gap)
        merge.announce(2)
        self.assertTrue(merge.has_gap)
        merge.skip(2)
        self.assertFalse(merge.has_gap)

    def test_settled(self):
        """A read that shows no more messages ends a gap."""
        merge = Merge("e", 1)
        merge.announce(5)
        merge.settle(5)
        self.assertFalse(merge.has_gap)

    def test_announced_while_read(self):
        """A message that is announced during a read may be newer than what the read shows."""
        merge = Merge("e", 1)
        merge.announce(2)
        known = merge.known
        merge.announce(3)
        merge.offer(2, "b")
        merge.settle(known)
        self.assertTrue(merge.has_gap)

    @given(SOURCES)
    def test_any_order(self, steps):
        """Each message is heard once and in order, whatever happens to pushes.

        Pushes are dropped, delayed, repeated and reordered; answers of appends come in order, with
        what others appended in between; and a gap that stays is filled at the end.
        """
        merge = Merge("e", 0)
        stream: list[int] = []
        heard: list[int] = []
        pushes: list[tuple[int, list[int]]] = []

        def take(first, messages):
            heard.extend(merge.offer(first, messages))

        for kind, number in steps:
            if kind == "append":
                first = len(stream) + 1
                stream += range(first, first + number)
                pushes.append((first, stream[first - 1 :]))
            elif kind == "own":  # the answer of an append: what is untold, then one's own
                take(merge.seq + 1, stream[merge.seq :])
                stream += range(len(stream) + 1, len(stream) + 1 + number)
                heard += stream[merge.seq :]
                merge.skip(len(stream))
            elif kind == "fill" and merge.has_gap:
                take(merge.seq + 1, stream[merge.seq : merge.seq + number])
            elif pushes and kind != "fill":
                push = pushes[number % len(pushes)]
                if kind == "announce":
                    merge.announce(push[0] + len(push[1]) - 1)
                if kind in ("push", "repeat"):
                    take(*push)
                if kind in ("push", "drop"):
                    pushes.remove(push)
            self.assertEqual(heard, stream[: len(heard)])
            self.assertEqual(merge.seq, len(heard))
        for push in pushes:
            take(*push)
        while merge.has_gap:
            take(merge.seq + 1, stream[merge.seq : merge.seq + 2])
        if pushes:
            last = max(first + len(messages) - 1 for first, messages in pushes)
            self.assertGreaterEqual(len(heard), last)
        self.assertEqual(heard, stream[: len(heard)])
