"""A recurrent network that stops early: the smallest program with a loop, a `break` and arrays.

    python examples/rnn.py

The loop runs over a Python sequence and leaves when a unit saturates. Myia keeps both: the emitted
gradient counts the steps that were taken and walks back over exactly those.
"""

from __future__ import annotations

import numpy as np

from myia import value_and_grad


def rnn(w, xs, h):
    for x in xs:
        h = np.tanh(w @ h + x)
        if h.max() > 0.9:
            break
    return h.sum()


rnn_grad = value_and_grad(rnn)


def main() -> float:
    rng = np.random.default_rng(1)
    w = rng.normal(size=(4, 4)) / 2
    xs = rng.normal(size=(30, 4)) / 3
    h = np.zeros(4)

    value, d_w = rnn_grad(w, xs, h)
    print(f"value      {value:.12f}")
    print(f"gradient   {np.array2string(d_w, precision=6, prefix='gradient   ')}")

    # Central differences in one random direction: good to about ten digits.
    direction = rng.normal(size=w.shape)
    step = 1e-6
    difference = (rnn(w + step * direction, xs, h) - rnn(w - step * direction, xs, h)) / (2 * step)
    slope = np.sum(d_w * direction)
    error = abs(slope - difference) / abs(difference)
    print(f"check      {slope:.10f} along a random direction, {difference:.10f} by central differences")
    print(f"           relative error {error:.1e}")

    print("\nthe function Myia wrote:\n")
    print(rnn_grad.source)
    return error


if __name__ == "__main__":
    main()
