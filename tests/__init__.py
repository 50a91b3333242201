"""The tests of chatd.

trial and pytest import this module first, so Hypothesis tries the same examples in each run. The
results do not depend on luck, on the speed of the machine, or on the database of an earlier run.
`python -m tests.seeds` tries other examples.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "any", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("same", settings.get_profile("any"), derandomize=True)
settings.load_profile("same")
