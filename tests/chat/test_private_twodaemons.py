"""Tests of private rooms that operators at two daemons change at the same time."""

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.chat.twodaemons import TwoDaemonsChat

COMMANDS = ("private", "private", "public", "invite", "invite", "uninvite")


class AtOnceTests(SynchronousTestCase):
    def test_any_changes(self):
        """However the changes overlap, the daemons agree with the store in the end."""
        for seed in range(300):
            random = Random(seed)
            chat = TwoDaemonsChat(operators=("op", "eve"), needs_account=True, has_accounts=True)
            operators = [chat.arrive(name, account=True) for name in ("op", "eve")]
            chat.begin_late()
            for _ in range(60):
                if random.random() < 0.3:
                    self.change(chat, random.choice(operators), random)
                else:
                    chat.carry_one(random)
            chat.end_late()
            kept = list(chat.store._private.values())
            for daemon in chat.daemons:
                self.assertEqual(daemon.access.known_to(operators[0]), kept, f"seed {seed}")
            self.assertEqual(chat.failures, [])

    def change(self, chat, operator, random):
        command = random.choice(COMMANDS)
        name = {"name": random.choice(("ann", "bob"))} if command.endswith("invite") else {}
        chat.command(operator, command, room="den", **name)
