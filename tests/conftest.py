"""Hypothesis profiles: the same examples every time, or more and new ones.

pytest tests/test_properties.py                      # derandomised, as in CI
MYIA_FUZZ=5000 pytest tests/test_properties.py       # that many random examples a property
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

settings.register_profile("ci", derandomize=True, deadline=None, database=None, suppress_health_check=QUIET)
settings.register_profile("fuzz", deadline=None, suppress_health_check=QUIET, print_blob=True)
settings.load_profile("fuzz" if "MYIA_FUZZ" in os.environ else "ci")
