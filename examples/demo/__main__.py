"""Train both networks, show what Myia wrote for them, check it, and draw the losses.

python -m examples.demo            about a minute
python -m examples.demo --epochs 2 --steps 20 --out /tmp/demo.png
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from examples.demo import characters, digits, report
from examples.demo.check import relative_error


@dataclass(frozen=True)
class Outcome:
    """What a run came to: losses of every step, test accuracies of every epoch, errors of the gradients."""

    digits_losses: list[float]
    accuracies: list[float]
    digits_error: float
    characters_losses: list[float]
    characters_error: float
    plot: Path
    seconds: float


def main(epochs: int = 30, steps: int = 1200, plot: Path = Path("out/demo.png")) -> Outcome:
    start = time.perf_counter()
    report.heading("Myia: gradients of plain NumPy, written as Python")
    report.say(
        "Two small networks, each an ordinary Python function with loops. [bold]value_and_grad[/] turns the\n"
        "loss into a Python function that also returns its gradient. You can read that function below."
    )
    # The matrices are so small that a second thread of the BLAS would cost more than it brings.
    with threadpool_limits(limits=1, user_api="blas"):
        digits_losses, accuracies, digits_error = _digits(epochs)
        characters_losses, characters_error = _characters(steps)

    _draw(digits_losses, accuracies, characters_losses, plot)
    seconds = time.perf_counter() - start
    report.heading("Done")
    report.figures(
        [
            ("digits", f"{accuracies[-1]:.1%} of the test images read correctly"),
            ("licence", f"{characters_losses[0]:.2f} -> {_settled(characters_losses):.2f} nats a character"),
            ("gradients", f"within {max(digits_error, characters_error):.0e} of central differences"),
            ("plot", str(plot)),
            ("time", f"{seconds:.0f} s"),
        ]
    )
    report.say("")
    return Outcome(
        digits_losses, accuracies, digits_error, characters_losses, characters_error, plot, seconds
    )


def _digits(epochs: int) -> tuple[list[float], list[float], float]:
    report.heading("1. Handwritten digits: a loop over layers")
    rng = np.random.default_rng(0)
    data = digits.load()
    layers = digits.new_layers(rng)
    report.say(
        f"{len(data.train_labels):,} images of 8 x 8 pixels to learn from, "
        f"{len(data.test_labels)} for the test; 64 - 64 - 10 units."
    )
    report.code(
        "the loss, as written (examples/demo/digits.py)", report.source_of(digits.scores, digits.loss)
    )

    batch = (data.train_images[:32], data.train_labels[:32])
    began = time.perf_counter()
    _, gradient = digits.step(layers, *batch)
    first_call = time.perf_counter() - began
    report.code("its gradient, as Myia wrote it (digits.step.source)", digits.step.source)
    error = relative_error(digits.loss, gradient, layers, batch, rng)
    primal = report.fastest(lambda: digits.loss(layers, *batch))
    both = report.fastest(lambda: digits.step(layers, *batch))
    _figures(error, first_call, primal, both)

    losses: list[float] = []
    accuracies: list[float] = []

    def updates() -> Iterator[str]:
        for epoch_losses, accuracy in digits.train(layers, data, rng, epochs):
            losses.extend(epoch_losses)
            accuracies.append(accuracy)
            yield f"loss {np.mean(epoch_losses):.3f}   test {accuracy:.1%}"

    report.progress("epoch", epochs, updates())
    report.say(f"\nloss  {losses[0]:.2f} {report.sparkline(losses)} {_settled(losses):.3f}")
    report.say(f"test  [bold green]{accuracies[-1]:.1%}[/] correct")
    return losses, accuracies, error


def _characters(steps: int) -> tuple[list[float], float]:
    report.heading("2. A licence, character by character: a loop over time")
    rng = np.random.default_rng(0)
    text = characters.load()
    weights = characters.new_weights(rng, len(text.alphabet))
    report.say(f"{len(text.codes):,} characters, {len(text.alphabet)} different ones, from {text.title}")
    report.code(
        "the loss, as written (examples/demo/characters.py)",
        report.source_of(characters.read, characters.loss),
    )

    stretches = (text.stretches(rng, 32, 33),)
    began = time.perf_counter()
    _, gradient = characters.step(weights, *stretches)
    first_call = time.perf_counter() - began
    lines = characters.step.source.splitlines()
    reverse = max((n for n, line in enumerate(lines) if "# -- reverse" in line), default=0)
    report.code("the end of its gradient: back through time", "\n".join(lines[reverse:]))
    report.say(f"(characters.step.source is all of it, {len(lines)} lines)\n")
    error = relative_error(characters.loss, gradient, weights, stretches, rng)
    primal = report.fastest(lambda: characters.loss(weights, *stretches))
    both = report.fastest(lambda: characters.step(weights, *stretches))
    _figures(error, first_call, primal, both)

    report.say("before training it writes:\n")
    report.quotation(characters.sample(weights, text, rng, 120))
    report.say("")
    losses: list[float] = []

    def updates() -> Iterator[str]:
        for loss in characters.train(weights, text, rng, steps):
            losses.append(loss)
            yield f"loss {_settled(losses):.3f}"

    report.progress("step", steps, updates())
    report.say(f"\nloss  {losses[0]:.2f} {report.sparkline(losses)} {_settled(losses):.2f}  nats a character")
    report.say("\nafter training it writes:\n")
    report.quotation(characters.sample(weights, text, rng, 400))
    return losses, error


def _figures(error: float, first_call: float, primal: float, both: float) -> None:
    report.figures(
        [
            (
                "gradient check",
                f"relative error {error:.1e} against central differences, 5 random directions",
            ),
            ("first call", f"{first_call * 1e3:.0f} ms, the compilation included"),
            ("loss alone", f"{primal * 1e6:,.0f} us"),
            ("loss and gradient", f"{both * 1e6:,.0f} us, {both / primal:.1f} times the loss alone"),
        ]
    )
    report.say("")


def _settled(losses: list[float]) -> float:
    """The mean of the latest losses: single batches jump about."""
    return float(np.mean(losses[-50:]))


def _draw(
    digits_losses: list[float], accuracies: list[float], characters_losses: list[float], plot: Path
) -> None:
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for axes, losses, title, unit in (
        (left, digits_losses, "Digits: two layers", "nats an image"),
        (right, characters_losses, "Licence: recurrent network", "nats a character"),
    ):
        window = max(1, len(losses) // 40)
        smooth = np.convolve(losses, np.full(window, 1 / window), mode="valid")
        axes.plot(losses, color="tab:blue", alpha=0.25, linewidth=0.8, label="each step")
        axes.plot(np.arange(len(smooth)) + window // 2, smooth, color="tab:blue", label=f"mean of {window}")
        axes.set(title=title, xlabel="step", ylabel=f"training loss, {unit}", xlim=(0, len(losses)))
        axes.spines[["top", "right"]].set_visible(False)
    left.set_yscale("log")
    right.set_ylim(bottom=0)

    per_epoch = len(digits_losses) / len(accuracies)
    score = left.twinx()
    score.plot(
        per_epoch * np.arange(1, len(accuracies) + 1),
        np.multiply(accuracies, 100),
        color="tab:green",
        label="test, right axis",
    )
    score.set_ylabel("test images read correctly, %", color="tab:green")
    score.set_ylim(80, 100)
    score.spines["top"].set_visible(False)
    left.legend(
        handles=[*left.get_legend_handles_labels()[0], *score.get_legend_handles_labels()[0]],
        loc="lower left",
        frameon=False,
    )
    right.legend(frameon=False)
    plot.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(plot, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=30, help="passes over the digits (%(default)s)")
    parser.add_argument("--steps", type=int, default=1200, help="steps on the licence (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("out/demo.png"), help="the plot (%(default)s)")
    options = parser.parse_args()
    main(options.epochs, options.steps, options.out)
