"""A transport that records whether it is read."""


class RecordingSource:
    """A transport that records the calls of its producer methods.

    Attributes:
        calls: `pause` and `resume`, in the order of the calls.
    """

    def __init__(self):
        self.calls = []

    def pauseProducing(self):
        self.calls.append("pause")

    def resumeProducing(self):
        self.calls.append("resume")
