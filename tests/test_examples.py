"""Every example runs, and the check it prints holds."""

from __future__ import annotations

import importlib

import numpy as np
import pytest


# What central differences, or for the first two an exact formula, can be expected to agree to.
@pytest.mark.parametrize(
    "name, tolerance",
    [("newton", 1e-12), ("tree", 1e-12), ("rnn", 1e-8), ("ode", 1e-7), ("learn_rate", 1e-8)],
)
def test_example_agrees_with_its_check(name, tolerance, capsys):
    error = importlib.import_module(f"examples.{name}").main()

    assert error < tolerance
    assert "d_" in capsys.readouterr().out, "some of the emitted source is shown"


def test_demo_trains_and_draws(tmp_path, capsys):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    pytest.importorskip("rich")
    from examples.demo.__main__ import main

    outcome = main(epochs=6, steps=40, plot=tmp_path / "demo.png")

    assert outcome.accuracies[-1] >= 0.95
    assert np.mean(outcome.characters_losses[-5:]) < 0.8 * outcome.characters_losses[0]
    assert outcome.digits_error < 1e-8
    assert outcome.characters_error < 1e-8
    assert outcome.plot.read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "as Myia wrote it" in printed
    assert "after training it writes" in printed
