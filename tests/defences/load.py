"""Claims about limits for peers, and about failures."""

from __future__ import annotations

from tests.defences import Defence

LOAD = (
    Defence(
        "A connection without a session ends after 10 seconds.",
        "tests/server/test_flood.py::CrowdTests::test_handshake_timeout",
        "chatd/connection/connection.py",
        "            if now >= self._handshake_deadline:\n",
        "            if False:\n",
    ),
    Defence(
        "The number of connections without a session is bounded; the address that has most of "
        "them loses its own connections, not those of others.",
        "tests/server/test_connections.py::WaitingTests::test_not_those_of_the_new_one",
        "chatd/server/sites.py",
        "        if own is not None and len(own) + 1 >= self._most:\n",
        "        if own is not None:\n",
    ),
    Defence(
        "Behind a proxy, connections count for the addresses that the proxy reports.",
        "tests/server/test_behind_proxy.py::SiteTests::test_first_bytes",
        "chatd/server/sessionprotocol.py",
        "        self._engine.connections.identified(self, identify(self.transport).address)\n",
        "        pass\n",
    ),
    Defence(
        "The number of refused connections that stay open is bounded.",
        "tests/server/test_flood.py::CrowdTests::test_those_that_do_not_go",
        "chatd/server/shedding.py",
        "            leaving.abort()\n",
        "            pass\n",
    ),
    Defence(
        "The number of sessions is bounded, even if many clients are admitted at the same time.",
        "tests/server/test_flood.py::CrowdTests::test_let_in_at_once",
        "chatd/server/admission.py",
        "            self._check(name, address)  # meanwhile",
        "            self._bans.check(name, address)  # meanwhile",
    ),
    Defence(
        "The number of sessions of each address is bounded.",
        "tests/server/test_flood.py::CrowdTests::test_too_many_of_an_address",
        "chatd/server/connections.py",
        "        if self._sessions[site_of(address)] >= self._limits.max_sessions_per_address:\n",
        "        if False:\n",
    ),
    Defence(
        "Some file descriptors are reserved for other uses than connections.",
        "tests/listening/test_accepting.py::DoorTests::test_spared",
        "chatd/listening/accepting.py",
        "        if not self._has_room():\n",
        "        if False:\n",
    ),
    Defence(
        "The bytes of incomplete messages are bounded for all peers together.",
        "tests/server/test_flood.py::ArrivingTests::test_the_oldest_goes",
        "chatd/server/connections.py",
        "        while self._arriving_bytes > self._limits.max_arriving:\n",
        "        while False:\n",
    ),
    Defence(
        "The bytes that wait for a peer that does not read are bounded; beyond that, the peer is "
        "told and cut off.",
        "tests/transport/test_protocol_ends.py::SlowConsumerTests::test_cut_off",
        "chatd/transport/protocol.py",
        "            if self._max_pending is None or waiting <= self._max_pending:\n",
        "            if True:\n",
    ),
    Defence(
        "Reading pauses for a client that sends more messages than its share, and no message is "
        "lost.",
        "tests/server/test_flood.py::MessageRateTests::test_refill",
        "chatd/server/pace.py",
        "return self.wait(wait_s) if wait_s else None",
        "return None",
    ),
    Defence(
        "Reading also pauses for a client that gives more commands than its share.",
        "tests/server/test_flood.py::CommandRateTests::test_refill",
        "chatd/server/pace.py",
        "        wait_s = self._commands.spend(1, self._clock.seconds())\n",
        "        wait_s = 0.0\n",
    ),
    Defence(
        "Frames with individual answers are answered a few in each turn.",
        "tests/server/test_flood.py::AnsweredTests::test_in_turns",
        "chatd/server/pace.py",
        "        if self._answered < MAX_ANSWERED:\n",
        "        if True:\n",
    ),
    Defence(
        "A client cannot fill the log with errors.",
        "tests/server/test_flood.py::AnsweredTests::test_pongs_and_errors",
        "chatd/server/protocol.py",
        "        if not self._has_noted_error:\n",
        "        if True:\n",
    ),
    Defence(
        "The messages of a peer that wait for the store are bounded.",
        "tests/server/test_answers.py::TransactionTests::test_too_much",
        "chatd/server/inwork.py",
        "answers.owed >= self._max_messages or ",
        "",
    ),
    Defence(
        "A trickle of bytes does not count as a sign of life.",
        "tests/connection/test_keepalive.py::ServerTickTests::test_a_trickle_is_silence",
        "chatd/connection/keepalive.py",
        "        if gathered_bytes - self._gathered >= GATHERING_BYTES:\n",
        "        if True:\n",
    ),
    Defence(
        "The memory for stored messages is bounded, by number as well as by bytes.",
        "tests/storage/test_memory.py::MemoryStoreTests::test_many_small_messages",
        "chatd/storage/memorystream.py",
        "        self._total.bytes += weight\n",
        "        self._total.bytes += len(entry.content)\n",
    ),
    Defence(
        "However many clients give commands, other clients wait for only a few of them.",
        "tests/server/test_budget.py::CommandTests::test_others",
        "chatd/server/budget.py",
        "        if not self._waiting and self._spent_s < self._most_s:\n",
        "        if True:\n",
    ),
    Defence(
        "However many clients read from the store, new messages wait for only a few of them.",
        "tests/storage/sqlite/test_pages.py::LookUpTests::test_readers_in_turn",
        "chatd/storage/sqlite/store.py",
        "        await self._readers.acquire()\n",
        "",
    ),
    Defence(
        "The cost of a page of a list depends on the page, not on the length of the list.",
        "tests/storage/sqlite/test_pages.py::LookUpTests::test_pages_cost_what_they_hold",
        "chatd/storage/sqlite/schema.py",
        "ON streams (one, other) WHERE",
        "ON streams (one) WHERE",
    ),
    Defence(
        "When the file descriptors run out, new connections wait until some are free.",
        "tests/listening/test_accepting.py::DoorTests::test_out_of_descriptors",
        "chatd/listening/accepting.py",
        "            if error.errno not in (errno.EMFILE, errno.ENFILE):\n",
        "            if True:\n",
    ),
    Defence(
        "A new connection can replace a connection without a session, but never a session.",
        "tests/listening/test_accepting.py::DoorTests::test_makes_room",
        "chatd/listening/accepting.py",
        "        if self._is_anybody_waiting() and self._make_room():\n",
        "        if False:\n",
    ),
    Defence(
        "A wall clock that is set back or forward ends no session and stops nothing.",
        "tests/transport/test_clock.py::TimeTests::test_monotonic",
        "chatd/transport/clock.py",
        "        reactor.seconds = time.monotonic\n",
        "        pass\n",
    ),
    Defence(
        "A confirmed message is stored: nobody sees a message before.",
        "tests/chat/test_commits.py::BatchTests::test_not_before_it_is_stored",
        "chatd/chat/commits.py",
        "await self._append([pending.entry for pending in batch])",
        "[values.Stored(values.place(each.entry, 1), True) for values in "
        "[__import__('sys').modules['chatd.storage.values']] for each in batch]",
    ),
    Defence(
        "If the store fails, the sender is told, and the daemon goes on.",
        "tests/chat/test_commits.py::BrokenStoreTests::test_goes_on",
        "chatd/chat/commits.py",
        "        except Exception as error:  # of a store of whatever make: those who wait are "
        "answered\n",
        "        except KeyError as error:\n",
    ),
    Defence(
        "A daemon that stops tells all clients, and waits no longer than its grace.",
        "tests/server/test_shutdown.py::DrainTests::test_store_that_hangs",
        "chatd/server/shutdown.py",
        "            self._clock.callLater(grace_s, self.cut_short),\n",
        "",
    ),
    Defence(
        "A new key ends no session; clients that connected with the old key go on.",
        "tests/server/test_keyring.py::UseKeyTests::test_generations",
        "chatd/transport/flush.py",
        "        if receiver.encoder is not encoder:\n",
        "        if encoder is None:\n",
    ),
    Defence(
        "A truncated database is refused, not replaced by an empty one.",
        "tests/storage/sqlite/test_faults_repaired.py::OpenTests::test_cut_to_nothing",
        "chatd/storage/sqlite/database.py",
        "        self._directory.check_database()\n",
        "",
    ),
)
