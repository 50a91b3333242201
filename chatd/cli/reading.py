"""`Reading`: shows messages, and counts and marks those that the person has not seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from chatd.chat.names import fold
from chatd.cli.display import TextDisplay
from chatd.cli.ignored import Ignored
from chatd.cli.marks import Mark, Marks
from chatd.cli.places import Place, Places
from chatd.cli.recent import Recent, place_of
from chatd.cli.window import Window
from chatd.wire.messages import Message

__all__ = ["Reading"]

_MAX_DIRECT = 1_000
"""Limit on the people whose last shown direct message is known."""


class Reading:
    """Shows messages, and counts and marks those that the person has not seen.

    All places share one screen. So the last messages of a place are shown again when the person
    comes to it, and a rule separates those that came meanwhile.

    Args:
        display: Shows messages.
        places: The rooms and conversations.
        ignored: The people whose messages are not shown.
        window: The terminal; it is redrawn when messages were counted.
        direct: The ids of the last direct messages shown, by the folded names of the people.
        rooms: The last messages shown in rooms, by the folded names of the rooms.

    Attributes:
        direct: The same ids as they are now.
        marks: The last messages shown in rooms as they are now.
    """

    def __init__(
        self,
        display: TextDisplay,
        places: Places,
        ignored: Ignored,
        window: Window,
        direct: Mapping[str, str] = MappingProxyType({}),
        rooms: Mapping[str, Mark] = MappingProxyType({}),
    ) -> None:
        self.direct = dict(direct)
        self.marks = Marks(rooms)
        self._display = display
        self._places = places
        self._ignored = ignored
        self._window = window
        self._recent = Recent()
        self._is_rule_due = False

    def look_away(self) -> None:
        """Note that the person does not see what comes now; a rule is shown before it."""
        self._is_rule_due = True

    def look_back(self) -> None:
        """Note that the person sees what comes now."""
        self._is_rule_due = False

    def count(self, place: Place, *, is_for_you: bool, messages: int) -> None:
        """Count messages as unread, unless typed lines go to their place; open a conversation.

        Args:
            place: The place of the messages.
            is_for_you: Whether any of them is for the person.
            messages: The number of the messages that are new to the person.
        """
        if place.is_person:
            place = self._places.open(place.name)
        if messages:
            self._places.heard(place, is_for_you=is_for_you, messages=messages)
        self._window.redraw()

    def show(self, message: Message, me: str, epoch: str | None) -> None:
        """Show a new message to the person whose name is `me`.

        Args:
            message: The message.
            me: The name of the person.
            epoch: The epoch of the message's `seq`; None if it is unknown.
        """
        place = place_of(message, me)
        is_here = place is None or self._places.is_current(place)
        is_own = fold(message.sender or "") == fold(me)
        if not is_own and self._is_rule_due:
            self._is_rule_due = False
            self._display.rule("new")
        self._display.message(message, me)
        self._keep(message, me, epoch, is_new=not is_here and not is_own)

    def unshown(self, other: str, messages: Sequence[Message]) -> int:
        """Return how many of the last direct messages with a person were never shown."""
        last = self.direct.get(fold(other))
        for number, message in enumerate(reversed(messages)):
            if last is not None and message.id == last:
                return number
        return len(messages)

    def missed(self, messages: Sequence[Message], me: str, epoch: str, count: int) -> None:
        """Show messages that came while the person was not connected, under a rule.

        Args:
            messages: The messages, all of a place.
            me: The name of the person.
            epoch: The epoch of the messages.
            count: The number of messages of others that came; if there are fewer among
                `messages`, the rule tells both numbers.
        """
        self._rule_before(messages, me, count)
        for message in messages:
            self.show(message, me, epoch)

    def _rule_before(self, messages: Sequence[Message], me: str, count: int) -> None:
        """Show a rule before messages, unless all are the person's own."""
        others = sum(fold(message.sender or "") != fold(me) for message in messages)
        if others:
            self._is_rule_due = False
            rest = f": the last {others} of {count}" if others < count else ""
            self._display.rule(f"new{rest}")

    def earlier(self, messages: Iterable[Message], me: str, epoch: str) -> None:
        """Show earlier messages, and keep them for the time when the person comes to their place.

        Args:
            messages: The messages.
            me: The name of the person.
            epoch: The epoch of the messages.
        """
        for message in messages:
            self._display.message(message, me, is_earlier=True)
            self._keep(message, me, epoch, is_new=False)

    def page(
        self, title: str, messages: Iterable[Message], me: str, *, with_date: bool = False
    ) -> None:
        """Show a page of earlier messages under a title.

        Args:
            title: The title.
            messages: The messages, in order.
            me: The name of the person.
            with_date: Whether each line has its date, unless it is of today.
        """
        shown = [message for message in messages if not self._ignored.hides(message)]
        self._display.note(f"{title}:" if shown else f"{title}: all are from people you ignore")
        for message in shown:
            self._display.message(message, me, is_earlier=True, with_date=with_date, is_whole=True)

    def arrive(self, place: Place, me: str) -> None:
        """Let the person come to a place, and show its last messages if they are out of sight.

        Those that came meanwhile look like live messages, below a rule.
        """
        unread = sum(each.messages for each in self._places.unread if each.place.key == place.key)
        self._places.enter(place)
        recap = self._recent.recap(place, self._display.lines)
        seen, new = (
            [message for message in messages if not self._ignored.hides(message)]
            for messages in recap
        )
        if all(fold(message.sender or "") == fold(me) for message in new):
            seen, new = [*seen, *new], []  # the person wrote them elsewhere
        if seen:
            self._display.note(f"earlier messages {place}:")
        for message in seen:
            self._display.message(message, me, is_earlier=True)
        self._rule_before(new, me, unread)
        for message in new:
            self._display.message(message, me, is_repeated=True)
        if any(recap):
            self._recent.shown(place, self._display.lines)

    def screen_cleared(self) -> None:
        """Note that no shown message is in sight now."""
        self._recent.screen_cleared(self._display.lines)

    def answered(self, place: Place) -> None:
        """Note that the person has read a place: an answer from elsewhere shows that."""
        self._places.read(place)
        self._recent.read(place)

    def renamed(self, old_name: str, name: str) -> None:
        """Note that a person has another name."""
        self._places.renamed(old_name, name)
        self._recent.renamed(Place(None, old_name), Place(None, name))

    def _keep(self, message: Message, me: str, epoch: str | None, *, is_new: bool) -> None:
        place = place_of(message, me)
        if place is not None:
            line = self._display.lines
            self._recent.take(place, message, epoch=epoch, line=line, is_new=is_new)
            if place.is_person and message.id is not None:
                self.direct.pop(fold(place.name), None)
                self.direct[fold(place.name)] = message.id
                if len(self.direct) > _MAX_DIRECT:
                    del self.direct[next(iter(self.direct))]
