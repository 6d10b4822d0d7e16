"""The gradient of a recursive function over a tree of nested tuples.

    python examples/tree.py

An expression is a number, the name of a variable, or a tuple of an operation and its operands. The
evaluator below is the recursion that anyone would write; Myia differentiates it with respect to the
dictionary of variables, for any tree, and the gradient is a dictionary with the same keys.
"""

from __future__ import annotations

import math

from myia import value_and_grad


def evaluate(variables, tree):
    if isinstance(tree, str):
        return variables[tree]
    if isinstance(tree, float):
        return tree
    operation = tree[0]
    if operation == "sin":
        return math.sin(evaluate(variables, tree[1]))
    if operation == "exp":
        return math.exp(evaluate(variables, tree[1]))
    left = evaluate(variables, tree[1])
    right = evaluate(variables, tree[2])
    if operation == "add":
        return left + right
    if operation == "multiply":
        return left * right
    if operation == "power":
        return left**right
    raise ValueError(f"no operation {operation!r}")


evaluate_grad = value_and_grad(evaluate)

# x * sin(x * y) + exp(y) ** 2 * z
TREE = (
    "add",
    ("multiply", "x", ("sin", ("multiply", "x", "y"))),
    ("multiply", ("power", ("exp", "y"), 2.0), "z"),
)


def by_hand(x, y, z):
    wave, turn = math.sin(x * y), math.cos(x * y)
    return {
        "x": wave + x * y * turn,
        "y": x * x * turn + 2.0 * math.exp(2.0 * y) * z,
        "z": math.exp(2.0 * y),
    }


def main() -> float:
    variables = {"x": 1.3, "y": 0.7, "z": -0.4}
    value, gradient = evaluate_grad(variables, TREE)
    expected = by_hand(**variables)

    print(f"value {value:.12f}\n")
    print("          Myia             by hand")
    for name, slope in gradient.items():
        print(f"d/d{name}   {slope:16.12f}  {expected[name]:16.12f}")
    error = max(abs(gradient[name] - expected[name]) / abs(expected[name]) for name in variables)
    print(f"\nlargest relative error {error:.1e}")

    print("\nthe outermost call, of what Myia wrote:\n")
    lines = evaluate_grad.source.splitlines()
    outermost = max((i for i, line in enumerate(lines) if line.startswith("def ")), default=0)
    print("\n".join(lines[outermost:]))
    return error


if __name__ == "__main__":
    main()
