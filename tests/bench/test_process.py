"""A process: its open files, its memory, and its cores."""

import os
import tempfile

import pytest
from twisted.trial.unittest import SynchronousTestCase

from bench import process
from bench.process import MIB, PeakWatch, apart, open_descriptors


class DescriptorsTests(SynchronousTestCase):
    def test_counts(self):
        """A file counts while it is open."""
        before = open_descriptors(os.getpid())
        with tempfile.TemporaryFile():
            self.assertEqual(open_descriptors(os.getpid()), before + 1)
        self.assertEqual(open_descriptors(os.getpid()), before)


class PeakWatchTests(SynchronousTestCase):
    def setUp(self):
        self.figures = iter([10 * MIB, 30 * MIB])
        self.patch(process, "_LOOK_S", 0.0)
        self.patch(process, "resident_bytes", self.resident_bytes)

    def resident_bytes(self, pid):
        """Return the figures in order; then the process has ended."""
        self.assertEqual(pid, 7)
        figure = next(self.figures, None)
        if figure is None:
            raise FileNotFoundError
        return figure

    def test_keeps_the_most(self):
        """The largest figure counts, also when the process ends during the count."""
        with PeakWatch(7) as watch:
            watch._thread.join()  # it ends with the process
        self.assertEqual(watch.peak_bytes, 30 * MIB)

    def test_before(self):
        """The memory at the beginning is the least."""
        self.figures = iter([50 * MIB, 30 * MIB])
        with PeakWatch(7) as watch:
            watch._thread.join()
        self.assertEqual(watch.peak_bytes, 50 * MIB)


class ApartTests(SynchronousTestCase):
    def setUp(self):
        self.cores = {0: {3, 1, 2}, 7: {1, 2, 3}}
        self.patch(os, "sched_getaffinity", lambda pid: self.cores[pid])
        self.patch(os, "sched_setaffinity", lambda pid, cores: self.cores.update({pid: set(cores)}))

    def test_apart(self):
        """The others get one core, this process the rest, and all cores at the end."""
        with apart([7]):
            self.assertEqual(self.cores, {7: {1}, 0: {2, 3}})
        self.assertEqual(self.cores[0], {1, 2, 3})

    def test_one_core(self):
        """With a single core, all processes share it."""
        self.cores[0] = {4}
        with apart([7]):
            self.assertEqual(self.cores, {7: {4}, 0: {4}})

    def test_failure(self):
        """The cores are restored also if the measure fails."""
        with pytest.raises(ValueError, match="some"), apart([7]):
            raise ValueError("some")
        self.assertEqual(self.cores[0], {1, 2, 3})
