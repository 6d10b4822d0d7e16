"""Memory reports: what is counted, and where it is."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from myia import grad
from myia.errors import MissingPackage


def one_branch(x, c):
    y = x
    if c:
        z = np.sin(y)
        y = z * z
    return y


def maybe_unbound(x, c):
    if c:
        y = x * x
    return y * x


def rooted(x):
    for k in range(3):
        x = x * np.sqrt(x)
    return np.sum(x)


@pytest.mark.parametrize("taken", [True, False])
def test_what_only_one_branch_binds_is_counted_if_it_is_taken(taken):
    kept = {row.site.what: row.times for row in grad(one_branch).memory_report(0.5, taken).rows}
    assert kept.get("z", 0) == taken


def test_a_variable_that_is_not_bound_is_refused_as_the_program_refuses_it():
    with pytest.raises(UnboundLocalError, match="'y'"):
        grad(maybe_unbound).memory_report(0.5, False)
    assert grad(maybe_unbound).memory_report(0.5, True).rows


def test_a_site_has_the_users_line():
    report = grad(rooted).memory_report(np.ones(100))
    line = rooted.__code__.co_firstlineno + 2
    assert {(row.site.filename, row.site.line) for row in report.rows} >= {(__file__, line)}
    assert report.bytes >= 3 * 800


def stops(x, limit):
    for k in range(3):
        x = x * x
        if x > limit:
            x = x + 1.0
        else:
            x = x * 0.5
    return x


def test_the_test_of_a_branch_is_read_by_the_reverse_sweep():
    rows = grad(stops).memory_report(2.0, 9.0).rows
    tests = {row.site.why for row in rows if row.site.what == "test"}
    assert tests == {"overwritten here, read by the reverse sweep", "read by the reverse sweep"}


def shadows_its_argument(x, items):
    y = x * x
    for x in items:
        y = y * x
    return y + x


def test_what_a_loop_reversed_from_snapshots_writes_over_is_kept_at_its_line():
    report = grad(shadows_its_argument, memory="minimal").memory_report(0.5, [2.0, 3.0])
    (row,) = [row for row in report.rows if row.site.what == "x" and row.site.pushed]
    assert row.site.line == shadows_its_argument.__code__.co_firstlineno + 2
    assert not row.site.elements


def recurrent(x, n):
    for _ in range(n):
        x = np.sin(x) * 1.1
    return np.sum(x)


def test_memory_over_time():
    x = np.ones(1000)
    df = grad(recurrent)
    whole = df.memory_report(x, 30)
    few = df.memory_report(x, 30, memory=100_000)
    for report in (whole, few):
        times = [time for time, _ in report.trace]
        assert times == sorted(times)
        assert max(peak for _, peak in report.trace) == report.peak
        assert len(report.trace) > 30
    assert few.peak <= 100_000 < whole.peak
    (loop,) = few.loops.values()
    assert few.peak <= loop.planned <= 100_000


def test_a_plot_of_several_budgets(tmp_path):
    pytest.importorskip("matplotlib")
    x = np.ones(1000)
    df = grad(recurrent)
    reports = [df.memory_report(x, 30, memory=memory) for memory in (None, "100 kB", "minimal")]
    path = tmp_path / "memory.png"
    reports[0].plot(path, *reports[1:])
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_plot_without_matplotlib(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackage, match="matplotlib") as caught:
        grad(recurrent).memory_report(np.ones(3), 3).plot(tmp_path / "memory.png")
    assert "myia[plot]" in caught.value.remedy
    assert isinstance(caught.value, ImportError)
