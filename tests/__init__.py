"""The tests of chatd.

trial and pytest import this module first, so Hypothesis tries the same examples in each run. The
results do not depend on luck, on the speed of the machine, or on the database of an earlier run.
`python -m tests.seeds` tries other examples.

With `CHATD_PURE` set, all tests run without the C module, as if it had not been built.
"""

import os
import sys

from hypothesis import HealthCheck, settings

if os.environ.get("CHATD_PURE"):
    sys.modules["chatd.wire._envelope"] = None  # type: ignore[assignment]  # its import fails

settings.register_profile(
    "any",
    deadline=None,
    database=None,
    # A test of a case runs again in its subclasses; without a database that is no harm.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
settings.register_profile("same", settings.get_profile("any"), derandomize=True)
settings.load_profile("same")
