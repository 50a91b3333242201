"""`Engine`: builds the parts of a server and connects them.

Users see and override `ChatFactory`; its protocols work with the parts of the engine. Each part has
one job, and does not know the factory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic

from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IReactorTime

from chatd.chat.access import RoomAccess
from chatd.chat.commands import Commands
from chatd.chat.hub import Hub
from chatd.chat.moderation import Bans, Operators
from chatd.chat.policy import Policy
from chatd.chat.roster import Roster
from chatd.server.accounts import Accounts
from chatd.server.admission import Admission
from chatd.server.connections import Closable, Connections
from chatd.server.delivery import TurnDelivery
from chatd.server.failures import FailureLog
from chatd.server.greeter import Greeter
from chatd.server.joint import LinkPatience, listen, share
from chatd.server.keyring import Keyring
from chatd.server.limits import Limits
from chatd.server.passwordchange import PasswordChange
from chatd.server.readbudget import ReadBudget
from chatd.server.registry import SessionRegistry
from chatd.server.served import S
from chatd.server.sessionlog import SessionLog
from chatd.server.shedding import LoadShedder
from chatd.server.shutdown import Shutdown
from chatd.server.speaker import Speaker
from chatd.server.turnbudget import TurnBudget
from chatd.server.unanswered import UnansweredLog
from chatd.storage.interface import IMessageStore
from chatd.transport.flush import Turn

__all__ = ["Engine"]


class Engine(Generic[S]):
    """The parts of a server.

    Args:
        clock: The reactor, or a test's clock.
        keyring: The key of new connections.
        heartbeat_s: Seconds between two pings.
        name: The name of the server as a sender.
        unix_time: Returns the time for messages, in Unix seconds.
        store: Keeps the messages.
        accounts: The accounts; None if the server has none.
        bans: The bans.
        policy: The operator's other settings of the chat.
        limits: The limits for peers.
        note: Called with a line for the log about each act of an operator, and each change of a
            password.

    Raises:
        ConfigurationError: A number is out of its range.
    """

    def __init__(  # noqa: PLR0913  (each is one of the operator's settings)
        self,
        clock: IReactorTime,
        keyring: Keyring,
        *,
        heartbeat_s: float,
        name: str,
        unix_time: Callable[[], float],
        store: IMessageStore,
        accounts: Accounts | None,
        bans: Bans,
        policy: Policy,
        limits: Limits,
        note: Callable[[str], None],
    ) -> None:
        self.failures = FailureLog(clock)
        self.unanswered = UnansweredLog()
        self.session_log = SessionLog(clock, limits)
        self.turn = Turn(clock, self._store_what_was_said)
        self.operators = Operators(policy.operators, needs_account=accounts is not None)
        self.access = RoomAccess(store, self.operators, DeferredLock(), note)
        self.link_patience = LinkPatience(clock, policy.link_patience_s, self._end_all)
        roster = self._make_chat(store, bans, policy, unix_time, has_accounts=accounts is not None)
        self.speaker: Speaker[S] = Speaker(self.hub, self.turn, name)
        self.command_budget = TurnBudget(clock)
        self.connections: Connections[Closable] = Connections(limits)
        self.read_budget = ReadBudget(clock, limits.max_arriving / 2)
        self.shedder = LoadShedder(self.connections)
        self.greeter = Greeter(keyring, clock, heartbeat_s, limits)
        self.admission: Admission[S] = Admission(
            roster,
            bans,
            accounts,
            policy.rooms,
            check_limits=self.connections.check,
            store_failed=self.failures.store_failed,
            is_encrypted=keyring.has_key,
        )
        self.commands = Commands(
            roster,
            bans,
            self.operators,
            note,
            self.failures.store_failed,
            unix_time,
            PasswordChange(
                accounts, self.admission.takes_passwords, roster.is_here, self.session_log
            ),
            lambda name: None if accounts is None else accounts.has_account(name),
        )
        self.registry: SessionRegistry[S] = SessionRegistry(
            roster, self.connections, clock, heartbeat_s
        )
        self.shutdown = Shutdown(
            clock, self.connections, self.hub.commits.call_when_stored, self.turn.flush
        )

    def finish(self) -> None:
        """Stop the timers; log now how many lines the logs have left out."""
        self.link_patience.stop()
        self.session_log.finish()
        self.failures.finish()

    def _make_chat(
        self,
        store: IMessageStore,
        bans: Bans,
        policy: Policy,
        unix_time: Callable[[], float],
        *,
        has_accounts: bool,
    ) -> Roster[S]:
        delivery, start = TurnDelivery(self.turn), self.failures.start
        roster: Roster[S] = Roster(
            store,
            delivery,
            start,
            policy=policy,
            access=self.access,
            share=lambda roster: share(store, roster, bans, start),
            has_accounts=has_accounts,
        )
        self.hub: Hub[S] = Hub(
            roster,
            delivery,
            start,
            self.failures.failed,
            unix_time=unix_time,
            store_works=self.failures.store_works,
        )
        # An outage is over then, so the log has its failures before those of another outage.
        listen(
            self.hub, bans, self.link_patience, start, self.failures.failed, self.failures.finish
        )
        return roster

    def _end_all(self, code: str, reason: str) -> None:
        for session in list(self.registry.sessions.values()):
            session.end_now(code, reason, retry=True)

    def _store_what_was_said(self) -> None:
        self.hub.commits.begin()
