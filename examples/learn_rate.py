"""Learning a learning rate: gradient descent differentiated with respect to its own settings.

    python examples/learn_rate.py

A least-squares problem is solved by thirty steps of gradient descent with momentum. How good the
answer is depends on the learning rate and on the momentum, so the whole descent is a function of
those two numbers, and Myia gives its gradient. An outer descent then improves them. (The gradient of
the inner problem is written by hand here; differentiating a gradient comes with a later release.)
"""

from __future__ import annotations

import numpy as np

from myia import value_and_grad


def loss_after_descent(rate, momentum, matrix, target, steps):
    weights = np.zeros(matrix.shape[1])
    velocity = np.zeros(matrix.shape[1])
    for _ in range(steps):
        residual = matrix @ weights - target
        velocity = momentum * velocity - rate * (matrix.T @ residual)
        weights = weights + velocity
    residual = matrix @ weights - target
    return 0.5 * np.sum(residual**2)


hypergradient = value_and_grad(loss_after_descent, wrt=("rate", "momentum"))


def problem() -> tuple[np.ndarray, np.ndarray]:
    """Twenty equations in eight unknowns that have a solution, with a condition number of ten."""
    rng = np.random.default_rng(2)
    left, _ = np.linalg.qr(rng.normal(size=(20, 8)))
    right, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    matrix = left * np.linspace(0.3, 3.0, 8) @ right
    return matrix, matrix @ rng.normal(size=8)


def main() -> float:
    matrix, target = problem()
    steps = 30
    rate, momentum = 0.05, 0.3

    _, slopes = hypergradient(rate, momentum, matrix, target, steps)
    h = 1e-6
    differences = (
        (
            loss_after_descent(rate + h, momentum, matrix, target, steps)
            - loss_after_descent(rate - h, momentum, matrix, target, steps)
        )
        / (2 * h),
        (
            loss_after_descent(rate, momentum + h, matrix, target, steps)
            - loss_after_descent(rate, momentum - h, matrix, target, steps)
        )
        / (2 * h),
    )
    error = float(np.linalg.norm(np.subtract(slopes, differences)) / np.linalg.norm(differences))
    print(f"gradient     {slopes[0]:13.8f} {slopes[1]:13.8f}")
    print(f"differences  {differences[0]:13.8f} {differences[1]:13.8f}")
    print(f"relative error {error:.1e}\n")

    print("round     rate  momentum  loss after 30 steps")
    for turn in range(41):
        value, (d_rate, d_momentum) = hypergradient(rate, momentum, matrix, target, steps)
        if turn % 5 == 0:
            print(f"{turn:5} {rate:8.4f}  {momentum:8.4f}  {value:.3e}")
        # The loss spans orders of magnitude, so the outer descent follows its logarithm.
        rate -= 4e-4 * d_rate / value
        momentum -= 4e-3 * d_momentum / value

    print("\nthe reverse sweep of the descent:\n")
    lines = hypergradient.source.splitlines()
    reverse = next((i for i, line in enumerate(lines) if "reverse" in line), 0)
    print("\n".join(lines[reverse:]))
    return error


if __name__ == "__main__":
    main()
