"""Both stores give the same answers to the same calls, in any order."""

from hypothesis import given
from hypothesis import strategies as st

from chatd.storage.sqlite import retention as sqlite_retention
from chatd.storage.streamkeys import direct_stream, room_stream
from chatd.storage.values import DirectHead, Entry, Head, Page, Retention
from chatd.wire.messages import ChatHeader
from tests.storage.stores import NOW, TEXT, Calls, StoreCase

ROOMS = [room_stream("a"), room_stream("b")]
STREAMS = [*ROOMS, direct_stream("ann", "bob"), direct_stream("ann", "ann")]
NAMES = ["ann", "bob"]

streams = st.sampled_from(STREAMS)
places = st.integers(-1, 12)
said = st.tuples(
    streams, st.sampled_from(NAMES), st.integers(0, 6), st.integers(0, 3), st.booleans()
)

operations = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(said, max_size=6)),
        st.tuples(st.just("append"), st.lists(said, max_size=6)),
        st.tuples(st.just("open_stream"), st.sampled_from(ROOMS), st.sampled_from(["A", "B"])),
        st.tuples(st.just("release"), st.sampled_from(ROOMS)),
        st.tuples(st.just("set_topic"), st.sampled_from(ROOMS), st.sampled_from(["", "t"])),
        st.tuples(
            st.just("read"),
            streams,
            st.sampled_from(["after", "before", None]),
            places,
            st.integers(1, 4),
            st.integers(0, 8),
        ),
        st.tuples(st.just("rooms")),
        st.tuples(st.just("conversations"), st.sampled_from(NAMES)),
        st.tuples(st.just("expire")),
        st.tuples(st.just("wait"), st.integers(1, 6)),
    ),
    max_size=30,
)
bounds = st.builds(
    Retention,
    max_messages=st.integers(1, 5),
    max_age_s=st.integers(1, 10).map(float),
    max_bytes=st.integers(0, 12),
)


class Epochs:
    """Numbers a store's epochs in the order in which they appear, because they are random."""

    def __init__(self):
        self._seen = {}

    def plain(self, value):
        """Return an answer with numbers in the place of epochs."""
        if isinstance(value, Head):
            epoch = self._seen.setdefault(value.epoch, len(self._seen))
            return (value.name, epoch, value.seq, value.oldest, value.topic)
        if isinstance(value, Page):
            return (value.messages, self.plain(value.head), value.is_complete)
        if isinstance(value, list):
            return [self.plain(each) for each in value]
        return getattr(value, "args", value)  # errors with the same text are the same


def in_order(value):
    """Return rooms or conversations sorted and without epochs."""

    def plain(head):
        return (head.name, head.seq, head.oldest, head.topic)

    if value and isinstance(value[0], DirectHead):
        return sorted((each.other, plain(each.head)) for each in value)
    return sorted(map(plain, value))


class AgreementTests(StoreCase):
    @given(bounds, operations, st.integers(1, 4))
    def test_agree(self, retention, asked, sweep_rows):
        """For any calls the answers are the same, except for the texts of epochs."""
        self.now = NOW
        self.patch(sqlite_retention, "SWEEP_ROWS", sweep_rows)
        memory = Calls(self, self.make_memory(retention))
        sqlite = Calls(self, self.make_sqlite(retention, directory=self.make_directory()))
        stores = [(memory, Epochs()), (sqlite, Epochs())]
        for stream in STREAMS:  # so that the epochs appear in the same order
            asked = [*asked, ("read", stream, None, 0, 100, 10**6)]
        for operation in asked:
            answers = [epochs.plain(self.ask(store, *operation)) for store, epochs in stores]
            self.assertEqual(answers[0], answers[1], operation)
            self.now += operation[1] / 2 if operation[0] == "wait" else 0
        sqlite.close()

    def ask(self, store, what, *values):
        """Call a method of one store."""
        if what == "wait":
            return None
        if what == "append":
            return store.append([self.entry(*each) for each in values[0]])
        if what == "read":
            stream, where, place, limit, max_bytes = values
            return store.read(
                stream, limit=limit, max_bytes=max_bytes, **({where: place} if where else {})
            )
        answer = getattr(store, what)(*values)
        return in_order(answer) if isinstance(answer, list) else answer

    def entry(self, stream, author, id, size, is_late):
        """Return an entry; a late entry has an earlier time, as if the clock was set back."""
        room = stream[-1] if stream in ROOMS else None
        time = self.now - 3 if is_late else self.now
        header = ChatHeader(id=str(id), room=room, sender=author, time=time, content_type=TEXT)
        return Entry(stream, author, header, b"x" * size)
