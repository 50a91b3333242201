"""Tests of names: which are allowed, which count as the same, and which are in use."""

import unicodedata
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.chat.names import (
    MAX_NAME,
    LocalClaims,
    Names,
    check_name,
    cursor_before,
    fold,
    fold_known,
)
from chatd.errors import RequestError
from tests.chat.twodaemons import ClaimsInTurn
from tests.chat.wiring import at_once, moderate

COMPOSED = "Zo\u00eb"
DECOMPOSED = "Zoe\u0308"
ALIKE = st.text("sS\u00dfeE\u00eb\u00cb\u0308", max_size=3).map("e".__add__)
SESSION = "0b4e9f6c7d0e4c579a413c2f3d1a5b60"


class CheckNameTests(SynchronousTestCase):
    def test_good(self):
        """Letters, digits, signs and any script make a name, which is returned unchanged."""
        for name in ("a", "alice-2", "O'Brien", "\u674e\u96f7", "\U0001f600", "\u00c9mile", "<b>"):
            self.assertEqual(check_name(name), name)

    def test_composed(self):
        """A name is returned in Unicode's composed form."""
        self.assertEqual(check_name(DECOMPOSED), COMPOSED)

    def test_far_too_long(self):
        """The server refuses a name that is far too long without the cost of composing it."""
        with self.assertRaises(RequestError):
            check_name("a" + "\u0300\u0316" * 2_000)

    def test_length(self):
        """A name has 1 to 32 characters, counted in the composed form."""
        self.assertEqual(check_name("x" * 32), "x" * 32)
        self.assertEqual(check_name("e\u0308" * 32), "\u00eb" * 32)
        for name in ("", "x" * 33):
            self.assert_bad(name)

    def test_bad_characters(self):
        """A name cannot have spaces of any kind, control or invisible format characters."""
        bad = " \t\r\n\0\x1b\x7f\x85\u00a0\u2003\u2028\u200b\u202e\ufeff\ud800"
        for character in bad:
            for name in (character, f"a{character}", f"{character}a", f"a{character}b"):
                self.assert_bad(name)

    def test_unseen_characters(self):
        """A name cannot have invisible fillers, blanks or joiners, nor begin with a mark."""
        for character in "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0":
            for name in (character, f"a{character}", f"{character}a", f"a{character}b"):
                self.assert_bad(name)
        for name in ("\u0301", "\u0301a", "\u20dd", "\u0903x"):
            self.assert_bad(name)

    def test_variations(self):
        """The server removes variation selectors from a name."""
        for selector in "\ufe00\ufe0e\ufe0f\u180b\u180d\u180f\U000e0100\U000e01ef":
            self.assertEqual(check_name(f"alice{selector}"), "alice")
            self.assertEqual(check_name(f"e{selector}\u0308"), "\u00eb")
            self.assertEqual(fold(f"AL{selector}ICE"), "alice")
            self.assert_bad(selector)
        self.assertEqual(check_name("\u2764\ufe0f"), "\u2764")

    @moderate
    @given(st.text(max_size=40))
    def test_any_text(self, text):
        """Any text is refused as `bad-name`, or gives a name that is valid again."""
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
        """Names that differ only in case or Unicode's form count as the same."""
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

    def test_scripts(self):
        """Names in letters of different scripts are different, even if they look the same."""
        for latin, other in (("ace", "\u0430\u0441\u0435"), ("Boo", "\u0392\u03bf\u03bf")):
            for name in (latin, other):
                self.assertEqual(check_name(name), name)
            self.assertNotEqual(fold(latin), fold(other))

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
        """Folding a folded name changes nothing."""
        self.assertEqual(fold(fold(name)), fold(name))


class CursorTests(SynchronousTestCase):
    def assert_found(self, keys, key):
        """Check that a sorted list that goes on after the cursor goes on with the key."""
        cursor = cursor_before(key)
        self.assertEqual(min(each for each in keys if each > cursor), key)

    def test_neighbours(self):
        """The cursor is between a name and the names that are nearest to it."""
        keys = ["a", "aa", "ab", "ab!", "aba", "ab\U0010fffd", "ac", "b", "\u00eb", "\uf900"]
        for key in keys:
            self.assert_found(keys, key)

    @moderate
    @given(st.sets(st.text("ab!\u0100\U0001f600", min_size=1, max_size=4), min_size=1))
    def test_any(self, keys):
        """A list goes on with any name after that name's cursor."""
        for key in keys:
            self.assert_found(keys, key)


class GivenNames:
    """Names whose claims are done at once."""

    def __init__(self, claims, *, has_accounts=False):
        self._names = Names(claims, has_accounts=has_accounts)
        self.reserve = self._names.reserve

    def claim(self, *args, **options):
        return at_once(self._names.claim(*args, **options))

    def claim_like(self, name, session):
        return at_once(self._names.claim_like(name, session))

    def release(self, name):
        self._names.release(name, SESSION)


class NamesCase(SynchronousTestCase):
    """Names of one daemon."""

    claims_class: type[Any] = LocalClaims
    has_accounts = False

    def setUp(self):
        self.names = self.make_names()

    def make_names(self):
        return GivenNames(self.claims_class(), has_accounts=self.has_accounts)


class OverTwoDaemons:
    """Names of two daemons, which are claimed at them in turn."""

    claims_class = ClaimsInTurn


class NamesTests(NamesCase):
    def assert_refused(self, code, name):
        with self.assertRaises(RequestError) as caught:
            self.names.claim(name, SESSION)
        self.assertEqual(caught.exception.code, code)

    def test_claim(self):
        """A member gets a free name as requested, in the composed form."""
        self.assertEqual(self.names.claim("Alice", SESSION), "Alice")
        self.assertEqual(self.names.claim(DECOMPOSED, SESSION), COMPOSED)

    def test_taken(self):
        """The server refuses a name in use, in any case or form."""
        self.names.claim(COMPOSED, SESSION)
        for name in (COMPOSED, DECOMPOSED, COMPOSED.lower(), DECOMPOSED.upper()):
            self.assert_refused("name-taken", name)

    def test_bad(self):
        """The server refuses a bad name, which stays free."""
        for _ in range(2):
            self.assert_refused("bad-name", "a b")
            self.assert_refused("bad-name", "")

    def test_release(self):
        """A released name is free again, in any case."""
        self.names.claim("Alice", SESSION)
        self.names.release("ALICE")
        self.assertEqual(self.names.claim("alice", SESSION), "alice")

    def test_release_of_a_free_name(self):
        """Releasing a name that is not in use does nothing."""
        self.names.claim("bob", SESSION)
        self.names.release("alice")
        self.assert_refused("name-taken", "bob")

    def test_refusal_keeps_the_name(self):
        """A refused claim does not take the name from its member."""
        self.names.claim("alice", SESSION)
        self.assert_refused("name-taken", "Alice")
        self.assert_refused("name-taken", "alice")

    def test_guest(self):
        """A claim without a name gets a guest name, which tells guests apart."""
        self.assertEqual(self.names.claim(None, SESSION), f"guest-{SESSION[:6]}")

    def test_guests_are_unique(self):
        """Guests whose names would be equal get longer names."""
        others = [SESSION[:9] + other * 23 for other in "xyz"]
        given = [self.names.claim(None, guest) for guest in [SESSION, *others]]
        self.assertEqual(len({fold(name) for name in given}), 4)
        self.assertEqual(given[1], f"guest-{SESSION[:7]}")
        for name in given:
            self.assert_refused("name-taken", name)

    def test_guest_name_that_somebody_asked_for(self):
        """No guest gets a guest name that another member took first, in any case."""
        squatter = self.names.claim(f"GUEST-{SESSION[:6].upper()}", "")
        guest = self.names.claim(None, SESSION)
        self.assertNotEqual(fold(squatter), fold(guest))

    def test_guest_that_is_no_more_unique(self):
        """The server gives up on guests whose names have the same text every time."""
        for _ in range(len(SESSION) - 5):
            self.names.claim(None, SESSION)
        self.assert_refused("name-taken", None)

    def test_short_guest(self):
        """The text that sets a guest apart may be short."""
        self.assertEqual(self.names.claim(None, "ab"), "guest-ab")

    @moderate
    @given(st.lists(st.text("0123456789abcdef", min_size=32, max_size=32), unique=True))
    def test_any_guests(self, guests):
        """No two guests have the same name, however alike their session ids are."""
        names = self.make_names()
        prefix = guests[0][:20] if guests else ""
        alike = {prefix + guest[20:] for guest in guests}
        given = [names.claim(None, guest) for guest in sorted(alike)]
        self.assertEqual(len(set(map(fold, given))), len(alike))

    @moderate
    @given(ALIKE, ALIKE)
    def test_any_two(self, first, second):
        """The server refuses a second name exactly if it equals the first after folding."""
        names = self.make_names()
        names.claim(first, SESSION)
        if fold(first) == fold(second):
            self.assertRaises(RequestError, names.claim, second, SESSION)
        else:
            self.assertEqual(names.claim(second, SESSION), check_name(second))


class NamesOverTwoDaemonsTests(OverTwoDaemons, NamesTests):
    pass


class AccountTests(NamesCase):
    def assert_taken(self, name, **options):
        with self.assertRaises(RequestError) as caught:
            self.names.claim(name, SESSION, **options)
        self.assertEqual(caught.exception.code, "name-taken")

    def test_held_by_several(self):
        """All members that logged in to an account have its name, until the last releases it."""
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
        """When an account no longer has its name, any single member can have it."""
        self.names.claim("alice", SESSION, is_account=True)
        self.names.release("alice")
        self.names.claim("alice", SESSION)
        self.assert_taken("alice", is_account=True)


class AccountOverTwoDaemonsTests(OverTwoDaemons, AccountTests):
    pass


class LikeTests(NamesCase):
    def claim(self, name):
        return self.names.claim_like(name, SESSION)

    def test_numbered(self):
        """If a name is in use, the claim gets it with the lowest free number."""
        given = [self.claim(name) for name in ("root", "Root", "ROOT")]
        self.assertEqual(given, ["root", "Root-2", "ROOT-3"])
        self.names.release("root-2")
        self.assertEqual(self.claim("root"), "root-2")

    def test_no_name(self):
        """If the name is bad, or too long with a number, the claim gets a guest name."""
        self.assertEqual(self.claim("a b"), f"guest-{SESSION[:6]}")
        longest = "x" * 32
        self.assertEqual(self.claim(longest), longest)
        self.assertEqual(self.claim(longest), f"guest-{SESSION[:7]}")

    def test_no_number_left(self):
        """If ninety-nine members have the name, the next gets a guest name."""
        given = {self.claim("root") for _ in range(99)}
        self.assertEqual(given, {"root", *(f"root-{number}" for number in range(2, 100))})
        self.assertEqual(self.claim("root"), f"guest-{SESSION[:6]}")


class LikeOverTwoDaemonsTests(OverTwoDaemons, LikeTests):
    pass


class GuestTests(NamesCase):
    """Names on a server with accounts."""

    has_accounts = True

    def test_guests(self):
        """The name of a member without an account begins with guest-, in any spelling."""
        for name in ("bob", "guest", "guest_1"):
            with self.assertRaises(RequestError) as caught:
                self.names.claim(name, "1")
            self.assertEqual(caught.exception.code, "auth-required")
        self.assertEqual(self.names.claim("Guest-bob", "1"), "Guest-bob")
        self.assertEqual(self.names.claim(None, "123456789"), "guest-123456")
        self.assertEqual(self.names.claim("bob", "1", is_account=True), "bob")

    def test_reserved(self):
        """No member can have the server's own name, not even an account."""
        self.assertEqual(self.names.reserve("server"), "server")
        with self.assertRaises(RequestError) as caught:
            self.names.claim("Server", "1", is_account=True)
        self.assertEqual(caught.exception.code, "name-taken")


class GuestOverTwoDaemonsTests(OverTwoDaemons, GuestTests):
    pass


class KnownTests(SynchronousTestCase):
    """Names that may be folded already."""

    def test_longer(self):
        """A name that is longer after folding is still the same name."""
        name = "\u0390" * MAX_NAME
        self.assertEqual(len(fold(name)), MAX_NAME)
        self.assertEqual(fold_known(fold("\u00df" * MAX_NAME)), "s" * (2 * MAX_NAME))

    def test_no_names(self):
        """The server refuses a text that no name folds to."""
        for name in ("", "a b", "x" * (3 * MAX_NAME + 1), "a\n"):
            with self.assertRaises(RequestError) as caught:
                fold_known(name)
            self.assertEqual(caught.exception.code, "bad-name")
