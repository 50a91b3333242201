"""The tests of chatd.

Hypothesis tries the same examples in each run, as trial and pytest import this first: whether the
tests pass depends neither on luck nor on the speed of the machine, nor on what an earlier run left
in a database. `python -m tests.seeds` tries other examples.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "any", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("same", settings.get_profile("any"), derandomize=True)
settings.load_profile("same")
