"""The sensitivity of an ODE's solution, through a solver that chooses its own steps.

    python examples/ode.py

Predators and prey (Lotka and Volterra) are followed for a while by the Bogacki-Shampine pair of
orders 3 and 2. Each step is tried, its error is estimated from the two orders, and the step is
accepted or rejected; the next step's length depends on the error. Myia differentiates the program as
it ran, rejected steps and step lengths included.

Two checks. Central differences of the program itself agree as closely as differences can. The
sensitivity equation (Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, section
I.14), S' = (df/dy) S + df/dp, is what a textbook would integrate beside the state; it agrees to about
the solver's tolerance, because that is how well either knows the solution.
"""

from __future__ import annotations

import numpy as np

from myia import value_and_grad


def predators_and_prey(state, rates):
    prey, predators = state
    birth, caught, fed, death = rates
    return np.array([birth * prey - caught * prey * predators, fed * prey * predators - death * predators])


def solve(field, state, rates, end, tolerance):
    """Bogacki and Shampine 1989: order 3 with an error estimate of order 2, first same as last."""
    time, step = 0.0, 0.05
    k1 = field(state, rates)
    while time < end:
        if time + step > end:
            step = end - time
        k2 = field(state + step * (1 / 2) * k1, rates)
        k3 = field(state + step * (3 / 4) * k2, rates)
        proposal = state + step * (2 / 9 * k1 + 1 / 3 * k2 + 4 / 9 * k3)
        k4 = field(proposal, rates)
        error = np.max(np.abs(step * (-5 / 72 * k1 + 1 / 12 * k2 + 1 / 9 * k3 - 1 / 8 * k4)))
        if error <= tolerance:
            time = time + step
            state = proposal
            k1 = k4
        # The usual safety factor and limits on how fast the step may change.
        factor = 0.9 * (tolerance / error) ** (1 / 3)
        step = step * min(5.0, max(0.2, factor))
    return state


def prey_at_the_end(rates, state, end, tolerance):
    return solve(predators_and_prey, state, rates, end, tolerance)[0]


sensitivity = value_and_grad(prey_at_the_end)


def by_the_sensitivity_equation(rates, state, end, tolerance):
    """The same derivative by hand: the state and its 2x4 sensitivity integrated together."""

    def field(both, rates):
        (prey, predators), matrix = both[:2], both[2:].reshape(2, 4)
        birth, caught, fed, death = rates
        d_state = np.array(
            [[birth - caught * predators, -caught * prey], [fed * predators, fed * prey - death]]
        )
        d_rates = np.array([[prey, -prey * predators, 0.0, 0.0], [0.0, 0.0, prey * predators, -predators]])
        return np.concatenate([predators_and_prey(both[:2], rates), (d_state @ matrix + d_rates).ravel()])

    return solve(field, np.concatenate([state, np.zeros(8)]), rates, end, tolerance)[2:6]


def by_central_differences(rates, *rest):
    differences = np.zeros_like(rates)
    for i in range(len(rates)):
        step = np.zeros_like(rates)
        step[i] = 1e-6
        differences[i] = (prey_at_the_end(rates + step, *rest) - prey_at_the_end(rates - step, *rest)) / 2e-6
    return differences


def main() -> float:
    rates = np.array([1.1, 0.4, 0.1, 0.4])
    setting = (np.array([10.0, 5.0]), 12.0, 1e-6)

    value, gradient = sensitivity(rates, *setting)
    differences = by_central_differences(rates, *setting)
    equation = by_the_sensitivity_equation(rates, *setting)

    print(f"prey at the end: {value:.9f}\n")
    print("d prey / d            Myia    differences    sensitivity equation")
    for name, *row in zip(("birth", "caught", "fed", "death"), gradient, differences, equation, strict=True):
        print(f"{name:10} {row[0]:15.8f} {row[1]:14.8f} {row[2]:23.8f}")
    error = np.linalg.norm(gradient - differences) / np.linalg.norm(differences)
    print(f"\nrelative error {error:.1e} against differences, ", end="")
    print(f"{np.linalg.norm(gradient - equation) / np.linalg.norm(equation):.1e} against the equation")

    print("\nthe solver, backwards, begins like this:\n")
    lines = sensitivity.source.splitlines()
    backward = next((i for i, line in enumerate(lines) if line.startswith("def solve_backward")), 0)
    print("\n".join(lines[backward : backward + 40]))
    return error


if __name__ == "__main__":
    main()
