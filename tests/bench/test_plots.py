"""The pictures: one for each theme, for the available figures."""

import re
import tempfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from bench.peers import PEERS

try:
    from bench import plots
except ImportError:  # matplotlib comes with the extra `bench`
    has_plots = False
else:
    has_plots = True

FAN_OUT = {
    f"fan-out-{members}": {
        f"fan-out-{members}": {"chatd": [6e6, 7e6, 5e6], "nats": [1e6, 2e6, 3e6]},
        "server CPU": {"chatd": [0.9], "nats": [1.1]},
    }
    for members in (1, 10, 100)
}
GROWTH = {"growth": {"1 × 1": {"chatd": [6000.0]}, "10 × 1000": {"chatd": [90.0, 80.0, 95.0]}}}
SCALE = {
    "scale": {
        "messages/s": {"chatd": [350e3, 340e3], "chatd-redis": [100e3], "chatd-redis-two": [90e3]},
        "Redis CPU": {"chatd-redis": [3.5, 4.25, 4.5], "chatd-redis-two": [4.5]},
        "p99": {"chatd": [1.0]},
    }
}


class PlotsTests(SynchronousTestCase):
    if not has_plots:  # not in setUp: trial would also record what later tests log
        skip = "matplotlib is not installed"

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name) / "plots"

    def drawn(self, results):
        """Return the names of the drawn files."""
        plots.draw(results, self.directory)
        return sorted(path.name for path in self.directory.iterdir())

    def words(self, name):
        """Return the text in a picture."""
        tree = ElementTree.fromstring((self.directory / name).read_text())
        return [element.text for element in tree.iter("{http://www.w3.org/2000/svg}text")]

    def test_files(self):
        """Each picture is drawn for both themes, into a new directory."""
        self.assertEqual(
            self.drawn(FAN_OUT | GROWTH),
            ["fan-out-dark.svg", "fan-out-light.svg", "growth-dark.svg", "growth-light.svg"],
        )

    def test_scale(self):
        """The picture of several daemons has a panel for each quantity that was measured."""
        self.assertEqual(self.drawn(SCALE), ["scale-dark.svg", "scale-light.svg"])
        words = self.words("scale-light.svg")
        for word in (
            plots.SCALE_TITLE,
            "thousand messages/s",
            "345",
            "Redis CPU, µs",
            "4.25",
            "not measured",
            "two chatd on Redis",
        ):
            self.assertIn(word, words)
        self.assertNotIn("sent to heard, µs", words)

    def test_fan_out(self):
        """The picture names each room and each peer, with its median in millions."""
        self.drawn(FAN_OUT)
        words = self.words("fan-out-light.svg")
        self.assertIn(plots.FAN_OUT_TITLE, words)
        for word in ("room of 1", "room of 10", "room of 100", "chatd", "NATS", "6.00", "2.00"):
            self.assertIn(word, words)
        self.assertNotIn("not measured", words)

    def test_fastest_on_top(self):
        """The peers are in the order of the largest room."""
        self.drawn(FAN_OUT)
        words = self.words("fan-out-dark.svg")
        self.assertLess(words.index("chatd"), words.index("NATS"))

    def test_growth(self):
        """The picture names each shape in words, with its median."""
        self.drawn(GROWTH)
        words = self.words("growth-dark.svg")
        for word in ("1 room × 1 member", "6,000", "10 rooms × 1,000 members", "90"):
            self.assertIn(word, words)

    def test_colours(self):
        """A theme has its own colours, and a transparent background."""
        self.drawn(FAN_OUT)
        for theme in plots.THEMES:
            text = (self.directory / f"fan-out-{theme.name}.svg").read_text()
            self.assertIn(theme.chatd, text)
            self.assertIn(theme.text, text)
            self.assertIsNone(re.search("#ffffff|#0d1117", text))

    def test_same_again(self):
        """The same figures make the same files."""
        names = self.drawn(FAN_OUT | GROWTH)
        before = [(self.directory / name).read_bytes() for name in names]
        self.drawn(FAN_OUT | GROWTH)
        self.assertEqual([(self.directory / name).read_bytes() for name in names], before)

    def test_missing_room(self):
        """A room without figures has no panel."""
        self.drawn({"fan-out-10": FAN_OUT["fan-out-10"]})
        rooms = [word for word in self.words("fan-out-light.svg") if word.startswith("room of")]
        self.assertEqual(rooms, ["room of 10"])

    def test_missing_peer(self):
        """The picture marks a peer that lacks figures for some rooms."""
        one = {"fan-out-1": {"fan-out-1": {"chatd-sqlite": [1e5]}}}
        self.drawn(FAN_OUT | one)
        words = self.words("fan-out-light.svg")
        self.assertIn(PEERS["chatd-sqlite"].label, words)
        self.assertEqual(words.count("not measured"), 4)  # two of them in the room of one

    def test_nothing(self):
        """Without figures, the bench draws no picture."""
        nothing: tuple[dict[str, Any], ...] = (
            {},
            {"growth": {}, "fan-out-1": {}},
            {"fan-out-1": {"fan-out-1": {}}, "sessions": {"memory": {"chatd": [7.0]}}},
            {"growth": {"1 × 1": {"floor": [600.0]}}},
        )
        for results in nothing:
            self.assertEqual(self.drawn(results), [])
