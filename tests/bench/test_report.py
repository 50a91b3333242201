"""The report: a table, verdicts, and JSON."""

import json

from twisted.trial.unittest import SynchronousTestCase

from bench.measures import MEASURES, Measure, Target
from bench.report import as_json, machine, table, verdicts

FIGURES = {
    "fan-out-10": {"chatd": [3e6, 1e6, 2e6], "floor": [1e6, 1e6, 1e6]},
    "server CPU": {"chatd": [0.5, 0.25, 1.0]},
}


def told(*targets, figures=FIGURES):
    """Return the verdicts on a measure with these targets."""
    measure = Measure("some", "some", "some", ("chatd",), lambda *_: figures, targets)
    return list(verdicts(measure, figures))


class TableTests(SynchronousTestCase):
    def test_rows(self):
        """A row has the median, the lowest and the highest figure, in columns."""
        expected = (
            "  fan-out-10  chatd  2,000,000  (1,000,000 to 3,000,000)\n"
            "  fan-out-10  floor  1,000,000  (1,000,000 to 1,000,000)\n"
            "  server CPU  chatd        0.5  (0.25 to 1)\n"
        )
        self.assertEqual(table(FIGURES), expected)

    def test_labels(self):
        """The report shows a peer by its label."""
        self.assertIn("  chatd, no key  ", table({"p50": {"chatd-clear": [1.0]}}))

    def test_nothing(self):
        """Without figures there is no row."""
        self.assertEqual(table({}), "")


class VerdictTests(SynchronousTestCase):
    def test_reached(self):
        """A ratio equal to the target is reached."""
        said = told(Target("fan-out-10", "chatd", ("floor",), 2.0))
        self.assertEqual(said, ["  fan-out-10: chatd 2.00 × floor, asked for ≥ 2: reached"])

    def test_not_reached(self):
        """The report shows a ratio that falls short with its target."""
        said = told(Target("fan-out-10", "chatd", ("floor",), 2.5))
        self.assertEqual(said, ["  fan-out-10: chatd 2.00 × floor, asked for ≥ 2.5: NOT reached"])

    def test_at_most(self):
        """With an upper bound, a higher ratio is not reached."""
        figures = {"p50": {"chatd": [30.0], "floor": [20.0]}}
        for ratio, word in ((1.5, "reached"), (1.4, "NOT reached")):
            said = told(Target("p50", "chatd", ("floor",), ratio, is_most=True), figures=figures)
            self.assertEqual(said, [f"  p50: chatd 1.50 × floor, asked for ≤ {ratio:g}: {word}"])

    def test_bound(self):
        """An absolute bound is compared with the figure itself."""
        said = told(Target("server CPU", "chatd", (), 0.5, is_most=True))
        self.assertEqual(said, ["  server CPU: chatd 0.50, asked for ≤ 0.5: reached"])

    def test_best_of_several(self):
        """The best of several peers counts, and a missing peer does not."""
        figures = {"fan-out-10": {"chatd": [3.0], "floor": [1.0], "nats": [4.0]}}
        target = Target("fan-out-10", "chatd", ("floor", "nats", "redis"), 0.75)
        self.assertEqual(
            told(target, figures=figures),
            [
                "  fan-out-10: chatd 0.75 × the best of floor, NATS, Redis, "
                "asked for ≥ 0.75: reached"
            ],
        )

    def test_missing(self):
        """There is no verdict if chatd, or all of its references, were not measured."""
        targets = (
            Target("fan-out-10", "chatd", ("ngircd",), 2.0),
            Target("fan-out-10", "chatd-sqlite", ("chatd",), 0.5),
            Target("login", "chatd", (), 0.5),
        )
        self.assertEqual(told(*targets), [])
        self.assertEqual([target.is_met(FIGURES) for target in targets], [None] * 3)


class JsonTests(SynchronousTestCase):
    def setUp(self):
        self.told = json.loads(as_json({"fan-out-10": FIGURES}, ["redis", "nats"]))

    def test_figures(self):
        """It holds every figure of every round."""
        measure = self.told["measures"]["fan-out-10"]
        self.assertEqual(measure["figures"], FIGURES)
        self.assertEqual(measure["title"], MEASURES["fan-out-10"].title)
        self.assertEqual(measure["unit"], "deliveries/s")

    def test_targets(self):
        """It holds the targets, and whether they are met; null if a figure is missing."""
        floor, _, ngircd = self.told["measures"]["fan-out-10"]["targets"]
        self.assertEqual(
            (floor["of"], floor["beside"], floor["asked"], floor["reached"], floor["met"]),
            ("chatd", ["floor"], 2.0, 2.0, True),
        )
        self.assertEqual((ngircd["reached"], ngircd["met"]), (None, None))

    def test_where(self):
        """It holds the machine, the versions of the peers, and the missing peers."""
        self.assertEqual(self.told["machine"], machine())
        self.assertEqual(list(self.told["versions"]), ["chatd", "floor"])
        self.assertEqual(self.told["missing"], ["nats", "redis"])
