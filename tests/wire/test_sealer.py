"""The choice of the sealer, and the arguments of the C module."""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import skipIf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import LocalProtocolError
from chatd.wire.envelope import MAX_CONTENT, MAX_HEADER, EnvelopeSealer
from chatd.wire.keys import mac_key
from chatd.wire.sealer import IS_BUILT, NativeSealer
from tests.wire.cases import SealerCase, needs_native
from tests.wire.samples import HEADER, KEY, MAGIC, make_frame, some_examples

if IS_BUILT:
    from chatd.wire._envelope import RunSealer

MUST_BE_BUILT = os.environ.get("CHATD_TOOLS") == "all" and not os.environ.get("CHATD_PURE")
PREFIX = MAGIC + b"\0\1"
BROKEN = """
import sys, warnings
class Broken:
    def find_spec(name, path=None, target=None):
        if name == "chatd.wire._envelope":
            raise ImportError("no libcrypto")
sys.meta_path.insert(0, Broken)
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    from chatd.wire.sealer import IS_BUILT
print(IS_BUILT, [str(each.message) for each in warned])
"""
USED = """
import sys
if "pure" in sys.argv:
    sys.modules["chatd.wire._envelope"] = None
from chatd.wire.codec import Codec
from chatd.wire.messages import Message
codec = Codec(bytes(range(32)))
print(type(codec._sealer).__name__, codec.encode(Message.chat("hello", id="m1")).hex())
"""
BUILD = """
import runpy, sys, types
names = []
sys.modules["setuptools"] = types.SimpleNamespace(
    Extension=lambda name, *files, **flags: name,
    setup=lambda ext_modules: names.extend(ext_modules),
)
runpy.run_path(sys.argv[1])
print(names)
"""
SETUP = Path(__file__).parents[2] / "setup.py"


def used(*arguments: str) -> list[str]:
    """Return the class of a new process's sealer, and a frame that it sealed."""
    command = [sys.executable, "-c", USED, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


class ChoiceTests(SynchronousTestCase):
    def test_pure(self) -> None:
        """Without the C module, a codec uses the loops in Python; the frames are the same."""
        self.assertEqual(used("pure"), ["EnvelopeSealer", make_frame().hex()])

    @needs_native
    def test_native(self) -> None:
        """A codec uses the C module where it was built; the frames are the same."""
        self.assertEqual(used(), ["NativeSealer", make_frame().hex()])

    @skipIf(not MUST_BE_BUILT, "not all that builds the C module need be here")
    def test_built(self) -> None:
        """The C module was built where `.ci/tools` installed all that it needs."""
        self.assertTrue(IS_BUILT)


@needs_native
class ArgumentTests(SynchronousTestCase):
    """What the C module takes; it checks each argument, as memory depends on them."""

    def setUp(self) -> None:
        self.runs = RunSealer(mac_key(KEY), PREFIX, MAX_HEADER)

    def test_new(self) -> None:
        """A key, a magic or a limit of another size or type is refused."""
        for arguments in (
            (bytes(65), PREFIX, 1),
            (KEY, PREFIX[:9], 1),
            (KEY, PREFIX + b"\0", 1),
            (KEY, PREFIX, -1),
            (KEY, PREFIX, 2**32),
            (KEY, PREFIX, 2**70),
            (KEY, PREFIX, 1.5),
            ("key", PREFIX, 1),
            (KEY, PREFIX),
            (),
        ):
            with pytest.raises((TypeError, ValueError, OverflowError)):
                RunSealer(*arguments)
        by_name: dict[str, Any] = {"mac_key": KEY, "magic": PREFIX, "max_header": 1}
        make: Any = RunSealer
        with pytest.raises(TypeError):
            make(**by_name)

    def test_seal_run(self) -> None:
        """Parts of another form, type or size are refused, in any place."""
        faults: tuple[Any, ...] = (
            None,
            [4, HEADER, b""],
            (4, HEADER),
            (4, HEADER, b"", b""),
            ("4", HEADER, b""),
            (4.0, HEADER, b""),
            (4, HEADER, "text"),
            (4, bytearray(HEADER), b""),
            (4, HEADER, memoryview(b"")),
            (-1, HEADER, b""),
            (2**16, HEADER, b""),
            (2**70, HEADER, b""),
            (4, bytes(MAX_HEADER + 1), b""),
        )
        for faulty in faults:
            for parts in ([faulty], [(4, HEADER, b"0"), faulty]):
                with pytest.raises((TypeError, ValueError, OverflowError)):
                    self.runs.seal_run(parts)
        others: tuple[Any, ...] = (None, (), iter([]), b"")
        for other in others:
            with pytest.raises(TypeError):
                self.runs.seal_run(other)
        self.assertEqual(self.runs.seal_run([]), [])

    def test_open_run(self) -> None:
        """Another buffer than bytes, and an offset or a limit out of range, are refused."""
        frame = make_frame()
        good = (frame, 0, 4, MAX_CONTENT, 9)
        self.assertEqual(self.runs.open_run(*good), [(HEADER, b"hello", len(frame))])
        faults: dict[int, tuple[Any, ...]] = {
            0: (bytearray(frame), memoryview(frame), "text", None),
            1: (-1, len(frame) + 1, 2**70, -(2**70), 0.0, None),
            2: (-1, 2**16, 2**70, "4"),
            3: (-1, 2**70, None),
            4: (-1, 2**70, None),
        }
        for place, values in faults.items():
            for value in values:
                arguments: list[Any] = [*good[:place], value, *good[place + 1 :]]
                with pytest.raises((TypeError, ValueError, OverflowError)):
                    self.runs.open_run(*arguments)
        calls: tuple[Any, ...] = ((), good[:4], (*good, 1))
        for call in calls:
            with pytest.raises(TypeError):
                self.runs.open_run(*call)

    def test_bounds(self) -> None:
        """An offset at the end, and limits of nothing and of all, are in range."""
        frame = make_frame()
        for start in (len(frame) - 1, len(frame)):
            self.assertEqual(self.runs.open_run(frame, start, 4, MAX_CONTENT, 9), [])
        self.assertEqual(self.runs.open_run(frame, 0, 4, MAX_CONTENT, 0), [])
        self.assertEqual(len(self.runs.open_run(frame * 3, 0, 4, sys.maxsize, 2)), 2)
        self.assertEqual(len(self.runs.open_run(frame * 3, 0, 4, 5, sys.maxsize)), 3)

    def test_references(self) -> None:
        """The C module keeps nothing of its arguments, whether it raises or not."""
        header, content, frame = bytes(900), bytes(901), make_frame()
        parts = [(4, header, content)] * 3
        values = (header, content, frame, parts, parts[0])
        counts = [sys.getrefcount(each) for each in values]
        faulty = [*parts, (-1, header, content)]
        for _ in range(50):
            self.runs.seal_run(parts)
            with pytest.raises(ValueError, match="at least 0"):
                self.runs.seal_run(faulty)
            self.runs.open_run(frame, 0, 4, 100, 9)
        del faulty
        self.assertEqual([sys.getrefcount(each) for each in values], counts)
        for part in self.runs.open_run(frame, 0, 4, 100, 9)[0][:2]:
            self.assertEqual(sys.getrefcount(part), sys.getrefcount(object()) + 2)


@needs_native
class NativeSealerTests(SynchronousTestCase):
    """The sealer in C beside that in Python."""

    def setUp(self) -> None:
        self.native = NativeSealer(mac_key(KEY))
        self.pure = EnvelopeSealer(mac_key(KEY))

    @some_examples
    @given(
        st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(), st.binary()), max_size=40),
        st.integers(0, 100),
    )
    def test_any_run(self, parts: list[tuple[int, bytes, bytes]], start: int) -> None:
        """Both seal any parts alike, and open the frames of a type alike."""
        frames = self.pure.seal_run(parts)
        self.assertEqual(self.native.seal_run(iter(parts)), frames)
        data = bytes(start) + b"".join(frames)
        for kind in {kind for kind, _, _ in parts}:
            opened = list(self.pure.open_run(data, start, kind, 10))
            self.assertEqual(list(self.native.open_run(data, start, kind, 10)), opened)

    def test_same_words(self) -> None:
        """Both name the fault of a part that cannot be sealed in the same words."""
        for part in ((4, bytes(MAX_HEADER + 1), b""), (2**16, b"", b""), (-(2**70), b"", b"")):
            words = []
            for sealer in (self.native, self.pure):
                with pytest.raises(LocalProtocolError) as caught:
                    sealer.seal(*part)
                words.append(str(caught.value))
            self.assertEqual(words[0], words[1])

    def test_other_bytes(self) -> None:
        """Contents that only the loop in Python takes are sealed there."""
        content: Any = memoryview(b"hello")
        self.assertEqual(self.native.seal(4, HEADER, content), make_frame())

    def test_threads(self) -> None:
        """Several threads can seal and open long envelopes with one sealer at the same time."""
        contents = [bytes([number]) * 300_000 for number in range(8)]

        def seal(content: bytes) -> list[bytes]:
            frames = b"".join(self.native.seal_run([(4, HEADER, content)] * 4))
            return [each for _, each, _ in self.native.open_run(frames, 0, 4, MAX_CONTENT)]

        with ThreadPoolExecutor(4) as pool:
            self.assertEqual(list(pool.map(seal, contents)), [[each] * 4 for each in contents])


class BrokenTests(SynchronousTestCase):
    def test_warned(self) -> None:
        """A C module that cannot be loaded is warned of, and Python does its work."""
        told = subprocess.run(
            [sys.executable, "-c", BROKEN], capture_output=True, text=True, check=True
        )
        warned = ["chatd's C module cannot be used: no libcrypto"]
        self.assertEqual(told.stdout, f"False {warned}\n")


class BothTests(SynchronousTestCase):
    """The tests of what the C module does."""

    def test_each_case(self) -> None:
        """Each case of a sealer has a subclass that runs its tests over the sealer in C."""
        for name in ("test_envelope", "test_envelope_runs"):
            cases = [
                case
                for case in vars(import_module(f"tests.wire.{name}")).values()
                if isinstance(case, type) and issubclass(case, SealerCase)
                if any(each.startswith("test") for each in dir(case))
            ]
            in_python = {case for case in cases if case.sealer_class is EnvelopeSealer}
            in_c = {case.__base__ for case in cases if case.sealer_class is NativeSealer}
            self.assertEqual(len(in_python), 2, name)
            self.assertEqual(in_c, in_python)


class BuildTests(SynchronousTestCase):
    """The build of the C module by `setup.py`, with a `pkg-config` that knows every library."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = directory.name
        program = Path(self.path, "pkg-config")
        program.write_text("#!/bin/sh\necho -lcrypto\n")
        program.chmod(0o700)

    def built(self, **environment: str) -> str:
        """Return the modules that `pip install` compiles."""
        options = {**os.environ, "CHATD_PURE": "", **environment}
        options["PATH"] = f"{self.path}:{os.environ['PATH']}"
        command = [sys.executable, "-c", BUILD, str(SETUP)]
        return subprocess.run(
            command, env=options, capture_output=True, text=True, check=True
        ).stdout.strip()

    def test_native(self) -> None:
        """The C module is the only one."""
        self.assertEqual(self.built(), "['chatd.wire._envelope']")

    def test_pure(self) -> None:
        """With `CHATD_PURE=1`, there is none."""
        self.assertEqual(self.built(CHATD_PURE="1"), "[]")
