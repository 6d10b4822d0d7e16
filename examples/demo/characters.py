"""A recurrent network that learns to continue a text, one character at a time, in plain NumPy.

The text is the licence that every Python interpreter carries. `loss` is a Python loop over time that
adds up how surprising each next character was; training is Adam (Kingma and Ba 2014, Algorithm 1) on
random stretches of the text.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from myia import value_and_grad


def read(weights, state, characters):
    """The state after reading one character in each of many texts, and the scores of the next ones."""
    state = np.tanh(weights["embedding"][characters] + state @ weights["recurrence"] + weights["bias"])
    return state, state @ weights["readout"] + weights["readout_bias"]


def loss(weights, texts):
    """Mean surprise, in nats a character; `texts` holds one text a column."""
    length, count = texts.shape
    state = np.zeros((count, len(weights["bias"])))
    total = 0.0
    for t in range(length - 1):
        state, z = read(weights, state, texts[t])
        z = z - z.max(axis=1, keepdims=True)
        log_total = np.log(np.exp(z).sum(axis=1))
        total += np.mean(log_total - z[np.arange(count), texts[t + 1]])
    return total / (length - 1)


step = value_and_grad(loss)


@dataclass(frozen=True)
class Text:
    """A text as numbers: `alphabet[codes[i]]` is its i-th character."""

    title: str
    alphabet: str
    codes: np.ndarray

    def stretches(self, rng: np.random.Generator, count: int, length: int) -> np.ndarray:
        """`count` random stretches of `length` characters, one a column."""
        starts = rng.integers(0, len(self.codes) - length, size=count)
        return self.codes[starts + np.arange(length)[:, None]]


def load() -> Text:
    path = _find_licence()
    text = path.read_text(encoding="utf-8", errors="ignore")
    alphabet = "".join(sorted(set(text)))
    places = {character: place for place, character in enumerate(alphabet)}
    return Text(str(path), alphabet, np.array([places[character] for character in text]))


def _find_licence() -> Path:
    """The interpreter's licence; distributions put it in different places, so our README is the last."""
    library = Path(sysconfig.get_path("stdlib"))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    candidates = [
        library / "LICENSE.txt",
        library.parent / "LICENSE.txt",
        Path(sys.base_prefix) / "LICENSE.txt",
        Path(f"/usr/share/doc/python{version}/copyright"),
        Path(__file__).parents[2] / "README.md",
    ]
    return next(path for path in candidates if path.is_file())


def new_weights(rng: np.random.Generator, characters: int, units: int = 128) -> dict[str, np.ndarray]:
    return {
        "embedding": rng.normal(size=(characters, units)) * 0.3,
        "recurrence": rng.normal(size=(units, units)) / np.sqrt(units),
        "bias": np.zeros(units),
        "readout": rng.normal(size=(units, characters)) * 0.1,
        "readout_bias": np.zeros(characters),
    }


def train(
    weights: dict[str, np.ndarray],
    text: Text,
    rng: np.random.Generator,
    steps: int,
    count: int = 32,
    length: int = 33,
) -> Iterator[float]:
    """Improve `weights` in place and give the loss of each step."""
    rate, keep_mean, keep_square = 1e-2, 0.9, 0.999
    mean = {name: np.zeros_like(weight) for name, weight in weights.items()}
    square = {name: np.zeros_like(weight) for name, weight in weights.items()}
    for n in range(1, steps + 1):
        value, gradient = step(weights, text.stretches(rng, count, length))
        # The rate falls all the while, so that the end of the run settles.
        pace = rate * 0.03 ** (n / steps) * np.sqrt(1 - keep_square**n) / (1 - keep_mean**n)
        for name, slope in gradient.items():
            # A long text now and then gives a huge gradient (Pascanu, Mikolov and Bengio 2013).
            slope = slope * min(1.0, 1.0 / (np.linalg.norm(slope) + 1e-12))
            mean[name] += (1 - keep_mean) * (slope - mean[name])
            square[name] += (1 - keep_square) * (slope * slope - square[name])
            weights[name] -= pace * mean[name] / (np.sqrt(square[name]) + 1e-8)
        yield float(value)


def sample(
    weights: dict[str, np.ndarray],
    text: Text,
    rng: np.random.Generator,
    length: int,
    opening: str = "Python ",
) -> str:
    """Write `length` characters from the opening on, each drawn by the network's scores."""
    state = np.zeros(len(weights["bias"]))
    for character in opening:
        state, z = read(weights, state, text.alphabet.index(character))
    written = opening
    while len(written) < length:
        # Divided by a temperature below 1, the scores draw likely characters more often than they are.
        chance = np.exp((z - z.max()) / 0.6)
        written += text.alphabet[rng.choice(len(chance), p=chance / chance.sum())]
        state, z = read(weights, state, text.alphabet.index(written[-1]))
    return written
