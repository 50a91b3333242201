"""Tests of names: what is allowed, which count as the same, and who has which."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.names import MAX_NAME, Names, check_name, fold, fold_known
from chatd.errors import RequestError
from tests.chat.wiring import moderate

COMPOSED = "Zo\u00eb"
DECOMPOSED = "Zoe\u0308"
ALIKE = st.text("sS\u00dfeE\u00eb\u00cb\u0308", max_size=3).map("e".__add__)
SESSION = "0b4e9f6c7d0e4c579a413c2f3d1a5b60"


class CheckNameTests(SynchronousTestCase):
    def test_good(self):
        """Letters, digits, signs and any script make a name, which comes back as it is."""
        for name in ("a", "alice-2", "O'Brien", "\u674e\u96f7", "\U0001f600", "\u00c9mile", "<b>"):
            self.assertEqual(check_name(name), name)

    def test_composed(self):
        """A name comes back in Unicode's composed form."""
        self.assertEqual(check_name(DECOMPOSED), COMPOSED)

    def test_far_too_long(self):
        """A name that is far too long is refused without being composed, which would take time."""
        with self.assertRaises(RequestError):
            check_name("a" + "\u0300\u0316" * 2_000)

    def test_length(self):
        """A name has 1 to 32 characters, counted in the composed form."""
        self.assertEqual(check_name("x" * 32), "x" * 32)
        self.assertEqual(check_name("e\u0308" * 32), "\u00eb" * 32)
        for name in ("", "x" * 33):
            self.assert_bad(name)

    def test_bad_characters(self):
        """Spaces of any kind, control and invisible format characters make no name."""
        bad = " \t\r\n\0\x1b\x7f\x85\u00a0\u2003\u2028\u200b\u202e\ufeff\ud800"
        for character in bad:
            for name in (character, f"a{character}", f"{character}a", f"a{character}b"):
                self.assert_bad(name)

    def test_unseen_characters(self):
        """Nor do fillers, blanks and joiners that are shown as nothing; nor a mark on no letter."""
        for character in "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0":
            for name in (character, f"a{character}", f"{character}a", f"a{character}b"):
                self.assert_bad(name)
        for name in ("\u0301", "\u0301a", "\u20dd", "\u0903x"):
            self.assert_bad(name)

    def test_variations(self):
        """What chooses between two glyphs of one character is no part of a name."""
        for selector in "\ufe00\ufe0e\ufe0f\u180b\u180d\u180f\U000e0100\U000e01ef":
            self.assertEqual(check_name(f"alice{selector}"), "alice")
            self.assertEqual(check_name(f"e{selector}\u0308"), "\u00eb")
            self.assertEqual(fold(f"AL{selector}ICE"), "alice")
            self.assert_bad(selector)
        self.assertEqual(check_name("\u2764\ufe0f"), "\u2764")

    @moderate
    @given(st.text(max_size=40))
    def test_any_text(self, text):
        """Any text is refused as `bad-name`, or gives a name that is a name again."""
        try:
            name = check_name(text)
        except RequestError as error:
            self.assertEqual(error.code, "bad-name")
        else:
            self.assertEqual(check_name(name), name)
            self.assertEqual(fold(name), fold(text))

    def assert_bad(self, name):
        with self.assertRaises(RequestError) as caught:
            check_name(name)
        self.assertEqual(caught.exception.code, "bad-name")


class FoldTests(SynchronousTestCase):
    def test_same(self):
        """Names that differ in case or in Unicode's form only count as the same."""
        for names in (
            ("alice", "Alice", "ALICE"),
            (COMPOSED, DECOMPOSED, COMPOSED.upper(), DECOMPOSED.upper()),
            ("stra\u00dfe", "STRASSE", "Strasse"),
            (
                "\u03c3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2",
                "\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3",
            ),
        ):
            self.assertEqual(len({fold(name) for name in names}), 1, names)

    def test_different(self):
        """Names that differ in a letter or an accent are different."""
        names = ("alice", "alicf", "al\u00efce", "alice2", "lobby")
        self.assertEqual(len({fold(name) for name in names}), len(names))

    @moderate
    @given(st.text(max_size=20))
    def test_forms(self, name):
        """The composed and the decomposed form of any name count as the same."""
        self.assertEqual(
            fold(unicodedata.normalize("NFD", name)), fold(unicodedata.normalize("NFC", name))
        )

    @moderate
    @given(st.text(max_size=20))
    def test_stable(self, name):
        """What names have in common has itself in common with them."""
        self.assertEqual(fold(fold(name)), fold(name))


class NamesTests(SynchronousTestCase):
    def setUp(self):
        self.names = Names()

    def assert_refused(self, code, name):
        with self.assertRaises(RequestError) as caught:
            self.names.claim(name, SESSION)
        self.assertEqual(caught.exception.code, code)

    def test_claim(self):
        """A free name is given as it was asked for, in the composed form."""
        self.assertEqual(self.names.claim("Alice", SESSION), "Alice")
        self.assertEqual(self.names.claim(DECOMPOSED, SESSION), COMPOSED)

    def test_taken(self):
        """A name that is in use is refused, in whatever case or form it is asked for."""
        self.names.claim(COMPOSED, SESSION)
        for name in (COMPOSED, DECOMPOSED, COMPOSED.lower(), DECOMPOSED.upper()):
            self.assert_refused("name-taken", name)

    def test_bad(self):
        """A bad name is refused, and is not taken by that."""
        for _ in range(2):
            self.assert_refused("bad-name", "a b")
            self.assert_refused("bad-name", "")

    def test_release(self):
        """A name that was given back is free again, in whatever case it is given back."""
        self.names.claim("Alice", SESSION)
        self.names.release("ALICE")
        self.assertEqual(self.names.claim("alice", SESSION), "alice")

    def test_release_of_a_free_name(self):
        """To give back a name that is not in use does nothing."""
        self.names.claim("bob", SESSION)
        self.names.release("alice")
        self.assert_refused("name-taken", "bob")

    def test_refusal_keeps_the_name(self):
        """A claim that was refused does not take the name from who has it."""
        self.names.claim("alice", SESSION)
        self.assert_refused("name-taken", "Alice")
        self.assert_refused("name-taken", "alice")

    def test_guest(self):
        """Who asks for no name is given one that tells guests apart."""
        self.assertEqual(self.names.claim(None, SESSION), f"guest-{SESSION[:6]}")

    def test_guests_are_unique(self):
        """Guests whose names would be the same get longer ones."""
        others = [SESSION[:9] + other * 23 for other in "xyz"]
        given = [self.names.claim(None, guest) for guest in [SESSION, *others]]
        self.assertEqual(len({fold(name) for name in given}), 4)
        self.assertEqual(given[1], f"guest-{SESSION[:7]}")
        for name in given:
            self.assert_refused("name-taken", name)

    def test_guest_name_that_somebody_asked_for(self):
        """A guest's name that another took first, in any case, is given to no guest."""
        squatter = self.names.claim(f"GUEST-{SESSION[:6].upper()}", "")
        guest = self.names.claim(None, SESSION)
        self.assertNotEqual(fold(squatter), fold(guest))

    def test_guest_that_is_no_more_unique(self):
        """The same guest twice cannot be told apart for ever."""
        for _ in range(len(SESSION) - 5):
            self.names.claim(None, SESSION)
        self.assert_refused("name-taken", None)

    def test_short_guest(self):
        """What sets a guest apart may be short."""
        self.assertEqual(self.names.claim(None, "ab"), "guest-ab")

    @moderate
    @given(st.lists(st.text("0123456789abcdef", min_size=32, max_size=32), unique=True))
    def test_any_guests(self, guests):
        """However alike the sessions' ids are, no two guests have the same name."""
        names = Names()
        prefix = guests[0][:20] if guests else ""
        alike = {prefix + guest[20:] for guest in guests}
        given = [names.claim(None, guest) for guest in sorted(alike)]
        self.assertEqual(len(set(map(fold, given))), len(alike))

    @moderate
    @given(ALIKE, ALIKE)
    def test_any_two(self, first, second):
        """A second name is taken exactly if it counts as the same as the first."""
        names = Names()
        names.claim(first, SESSION)
        if fold(first) == fold(second):
            self.assertRaises(RequestError, names.claim, second, SESSION)
        else:
            self.assertEqual(names.claim(second, SESSION), check_name(second))


class AccountTests(SynchronousTestCase):
    def setUp(self):
        self.names = Names()

    def assert_taken(self, name, **options):
        with self.assertRaises(RequestError) as caught:
            self.names.claim(name, SESSION, **options)
        self.assertEqual(caught.exception.code, "name-taken")

    def test_held_by_several(self):
        """An account's name is held by all who have proven it, until the last gives it back."""
        for name in ("alice", "Alice"):
            self.assertEqual(self.names.claim(name, SESSION, is_account=True), name)
        self.assert_taken("ALICE")
        self.names.release("alice")
        self.assert_taken("alice")
        self.names.release("ALICE")
        self.assertEqual(self.names.claim("alice", SESSION), "alice")

    def test_held_by_a_guest(self):
        """An account does not get its name while a guest has it."""
        self.names.claim("alice", SESSION)
        self.assert_taken("Alice", is_account=True)

    def test_no_account_any_more(self):
        """A name that an account had is anybody's afterwards, and then that one's alone."""
        self.names.claim("alice", SESSION, is_account=True)
        self.names.release("alice")
        self.names.claim("alice", SESSION)
        self.assert_taken("alice", is_account=True)


class LikeTests(SynchronousTestCase):
    def setUp(self):
        self.names = Names()

    def claim(self, name):
        return self.names.claim_like(name, SESSION)

    def test_numbered(self):
        """Who would have a name that is in use is given it with a number, the lowest there is."""
        given = [self.claim(name) for name in ("root", "Root", "ROOT")]
        self.assertEqual(given, ["root", "Root-2", "ROOT-3"])
        self.names.release("root-2")
        self.assertEqual(self.claim("root"), "root-2")

    def test_no_name(self):
        """Where it is no name, or none when it has a number, one is given a guest's."""
        self.assertEqual(self.claim("a b"), f"guest-{SESSION[:6]}")
        longest = "x" * 32
        self.assertEqual(self.claim(longest), longest)
        self.assertEqual(self.claim(longest), f"guest-{SESSION[:7]}")

    def test_no_number_left(self):
        """Where ninety-nine have it, the next is given a guest's."""
        given = {self.claim("root") for _ in range(99)}
        self.assertEqual(given, {"root", *(f"root-{number}" for number in range(2, 100))})
        self.assertEqual(self.claim("root"), f"guest-{SESSION[:6]}")


class GuestTests(SynchronousTestCase):
    """Names where there are accounts."""

    def setUp(self):
        self.names = Names(has_accounts=True)

    def test_guests(self):
        """Who has no account has a name that begins with guest-, however it is spelled."""
        for name in ("bob", "guest", "guest_1"):
            with self.assertRaises(RequestError) as caught:
                self.names.claim(name, "1")
            self.assertEqual(caught.exception.code, "auth-required")
        self.assertEqual(self.names.claim("Guest-bob", "1"), "Guest-bob")
        self.assertEqual(self.names.claim(None, "123456789"), "guest-123456")
        self.assertEqual(self.names.claim("bob", "1", is_account=True), "bob")

    def test_reserved(self):
        """The server's own name is nobody else's, not that of an account either."""
        self.assertEqual(self.names.reserve("server"), "server")
        with self.assertRaises(RequestError) as caught:
            self.names.claim("Server", "1", is_account=True)
        self.assertEqual(caught.exception.code, "name-taken")


class KnownTests(SynchronousTestCase):
    """Names that may be folded already."""

    def test_longer(self):
        """A name that is longer folded than it was is the same."""
        name = "\u0390" * MAX_NAME
        self.assertEqual(len(fold(name)), MAX_NAME)
        self.assertEqual(fold_known(fold("\u00df" * MAX_NAME)), "s" * (2 * MAX_NAME))

    def test_no_names(self):
        """What no name is like is refused."""
        for name in ("", "a b", "x" * (3 * MAX_NAME + 1), "a\n"):
            with self.assertRaises(RequestError) as caught:
                fold_known(name)
            self.assertEqual(caught.exception.code, "bad-name")
