"""What is claimed of what peers may take, and of what fails."""

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
        "There are only so many connections without a session, and the address that has most of "
        "them drives out its own, nobody else's.",
        "tests/server/test_connections.py::WaitingTests::test_not_those_of_the_new_one",
        "chatd/server/sites.py",
        "        if own is not None and len(own) + 1 >= self._most:\n",
        "        if own is not None:\n",
    ),
    Defence(
        "Behind a proxy, connections count to the addresses that it tells.",
        "tests/server/test_behind_proxy.py::SiteTests::test_first_bytes",
        "chatd/server/protocol.py",
        "        self.factory.identified(self)\n",
        "        pass\n",
    ),
    Defence(
        "Those that were sent away and do not go are bounded, too.",
        "tests/server/test_flood.py::CrowdTests::test_those_that_do_not_go",
        "chatd/server/factory.py",
        "            leaving.abort()\n",
        "            pass\n",
    ),
    Defence(
        "There are only so many sessions, also where many are let in at once.",
        "tests/server/test_flood.py::CrowdTests::test_let_in_at_once",
        "chatd/server/admission.py",
        "                self._bans.check(name, identity.address)\n"
        "                self._factory.connections.check(identity.address)\n",
        "                self._bans.check(name, identity.address)\n",
    ),
    Defence(
        "There are only so many of an address.",
        "tests/server/test_flood.py::CrowdTests::test_too_many_of_an_address",
        "chatd/server/connections.py",
        "        if self._sessions[site_of(address)] >= self._limits.max_sessions_per_address:\n",
        "        if False:\n",
    ),
    Defence(
        "Some file descriptors are left for what is no connection.",
        "tests/listening/test_accepting.py::DoorTests::test_spared",
        "chatd/listening/accepting.py",
        "        if not self._has_room():\n",
        "        if False:\n",
    ),
    Defence(
        "What arrives of long messages is bounded for all peers together.",
        "tests/server/test_flood.py::ArrivingTests::test_the_oldest_goes",
        "chatd/server/connections.py",
        "        while self._arriving_bytes > self._limits.max_arriving:\n",
        "        while False:\n",
    ),
    Defence(
        "What waits for a peer that does not read is bounded; it is told so, and cut off.",
        "tests/transport/test_protocol_ends.py::SlowConsumerTests::test_cut_off",
        "chatd/transport/protocol.py",
        "            if self._max_pending is None or waiting <= self._max_pending:\n",
        "            if True:\n",
    ),
    Defence(
        "Who sends more messages than its share is not read from for a while, and nothing is lost.",
        "tests/server/test_flood.py::MessageRateTests::test_refill",
        "chatd/server/pace.py",
        "return self.wait(wait_s) if wait_s else None",
        "return None",
    ),
    Defence(
        "The same goes for commands.",
        "tests/server/test_flood.py::CommandRateTests::test_refill",
        "chatd/server/pace.py",
        "        wait_s = self._commands.spend(1, self._clock.seconds())\n",
        "        wait_s = 0.0\n",
    ),
    Defence(
        "Frames that are answered one by one are answered a few in a turn.",
        "tests/server/test_flood.py::AnsweredTests::test_in_turns",
        "chatd/server/pace.py",
        "        if self._answered < MAX_ANSWERED:\n",
        "        if True:\n",
    ),
    Defence(
        "A peer's messages that wait for the store are bounded.",
        "tests/server/test_answers.py::TransactionTests::test_too_much",
        "chatd/server/protocol.py",
        "            session.answers.owed >= self._max_in_work\n",
        "            False\n",
    ),
    Defence(
        "A trickle of bytes is no sign of life.",
        "tests/connection/test_keepalive.py::ServerTickTests::test_a_trickle_is_silence",
        "chatd/connection/keepalive.py",
        "        if gathered_bytes - self._gathered >= GATHERING_BYTES:\n",
        "        if True:\n",
    ),
    Defence(
        "Memory that is kept of what was said is bounded, by messages as well as by bytes.",
        "tests/storage/test_memory.py::MemoryStoreTests::test_many_small_messages",
        "chatd/storage/memory.py",
        "        self._total.bytes += weight\n",
        "        self._total.bytes += len(entry.content)\n",
    ),
    Defence(
        "However many give commands, others wait for a few of them only.",
        "tests/server/test_budget.py::CommandTests::test_others",
        "chatd/server/budget.py",
        "        if not self._waiting and self._spent_s < self._most_s:\n",
        "        if True:\n",
    ),
    Defence(
        "However many look something up in the store, what is said waits for few of them.",
        "tests/storage/sqlite/test_pages.py::LookUpTests::test_readers_in_turn",
        "chatd/storage/sqlite/store.py",
        "        await self._readers.acquire()\n",
        "",
    ),
    Defence(
        "A page of a list costs what is on it, however long the list is.",
        "tests/storage/sqlite/test_pages.py::LookUpTests::test_pages_cost_what_they_hold",
        "chatd/storage/sqlite/schema.py",
        "ON logs (one, other) WHERE",
        "ON logs (one) WHERE",
    ),
    Defence(
        "When the file descriptors run out, who connects waits until there are some.",
        "tests/listening/test_accepting.py::DoorTests::test_out_of_descriptors",
        "chatd/listening/accepting.py",
        "            if error.errno not in (errno.EMFILE, errno.ENFILE):\n",
        "            if True:\n",
    ),
    Defence(
        "A connection without a session goes for one that comes then, and no session does.",
        "tests/listening/test_accepting.py::DoorTests::test_makes_room",
        "chatd/listening/accepting.py",
        "        if self._is_anybody_waiting() and self._make_room():\n",
        "        if False:\n",
    ),
    Defence(
        "A wall clock that is set back or forward stops nothing and ends no session.",
        "tests/transport/test_clock.py::TimeTests::test_monotonic",
        "chatd/transport/clock.py",
        "        reactor.seconds = time.monotonic\n",
        "        pass\n",
    ),
    Defence(
        "What was confirmed is stored: nobody is told of a message before.",
        "tests/chat/test_commits.py::BatchTests::test_not_before_it_is_stored",
        "chatd/chat/commits.py",
        "await self._append([pending.entry for pending in batch])",
        "[interface.Stored(interface.place(each.entry, 1), True) for interface in "
        "[__import__('sys').modules['chatd.storage.interface']] for each in batch]",
    ),
    Defence(
        "A store that fails is told to who speaks, and the daemon goes on.",
        "tests/chat/test_commits.py::BrokenStoreTests::test_goes_on",
        "chatd/chat/commits.py",
        "        except Exception as error:  # of a store of whatever make: those who wait are "
        "answered\n",
        "        except KeyError as error:\n",
    ),
    Defence(
        "A daemon that stops tells everyone, and waits for nobody longer than its grace.",
        "tests/server/test_shutdown.py::DrainTests::test_store_that_hangs",
        "chatd/server/shutdown.py",
        "            self._clock.callLater(grace_s, self.cut_short),\n",
        "",
    ),
    Defence(
        "A new key is read without ending a session; those who came with the old one go on.",
        "tests/server/test_keyring.py::UseKeyTests::test_generations",
        "chatd/transport/flush.py",
        "        if receiver.encoder is not encoder:\n",
        "        if encoder is None:\n",
    ),
    Defence(
        "A database that was cut short is refused, not begun anew over what was confirmed.",
        "tests/storage/sqlite/test_faults_repaired.py::OpenTests::test_cut_to_nothing",
        "chatd/storage/sqlite/database.py",
        "        self._check_size()\n",
        "",
    ),
)
