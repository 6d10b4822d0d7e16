"""Hypothesis profiles, and where kernels run.

pytest tests/test_properties.py                      # the same examples every time, as in CI
MYIA_FUZZ=5000 pytest tests/test_properties.py       # that many random examples a property
MYIA_QUEUED=1 pytest tests/test_programs.py          # no kernel in the caller, and all in small parts
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from myia import _runtime

# Emitted modules, which are compared as text.
collect_ignore = ["golden"]

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

settings.register_profile("ci", derandomize=True, deadline=None, database=None, suppress_health_check=QUIET)
settings.register_profile("fuzz", deadline=None, suppress_health_check=QUIET, print_blob=True)
if "MYIA_QUEUED" in os.environ:
    _runtime.set_inline_limit(0)
    _runtime.set_split_size(8)
    _runtime.set_workers(3)


@pytest.fixture(autouse=True, scope="module")
def few_objects() -> Iterator[None]:
    """Collections look only at what the tests of a module make, not at all the programs compiled before."""
    gc.freeze()
    yield
    gc.unfreeze()


settings.load_profile("fuzz" if "MYIA_FUZZ" in os.environ else "ci")
