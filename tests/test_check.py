"""The checker passes a right gradient and fails each planted error. No compiler takes part."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests import check
from tests.check import GradientMismatch, UnsureOracle, check_gradient

X = np.array([0.7, -0.4, 1.1])
W = {"scale": 1.3, "parts": [np.array([[0.3, -0.2, 0.9], [0.1, 0.8, -0.5]]), (0.6, 2)]}


def program(x, w):
    matrix, (shift, power) = w["parts"]
    return w["scale"] * np.sum(np.sin(matrix @ x) ** power) + shift * x[0]


def right(x, w):
    """The gradient of `program`, by hand."""
    matrix, (shift, power) = w["parts"]
    inner = matrix @ x
    outer = w["scale"] * power * np.sin(inner) ** (power - 1) * np.cos(inner)
    d_x = matrix.T @ outer
    d_x[0] += shift
    d_scale = np.sum(np.sin(inner) ** power).item()
    return d_x, {"scale": d_scale, "parts": [np.outer(outer, x), (x[0].item(), 0.0)]}


def fake(change=lambda d_x, d_w: (d_x, d_w), function=program, gradient=right):
    """A `value_and_grad` whose gradient is the right one, changed."""

    def value_and_grad(program, wrt):
        def run(x, w):
            return function(x, w), change(*gradient(x, w))

        return run

    return value_and_grad


def run(value_and_grad):
    check_gradient(program, (X.copy(), W), (0, 1), value_and_grad=value_and_grad)


def test_the_right_gradient_passes():
    run(fake())


def test_the_right_gradient_of_one_argument_passes():
    def value_and_grad(program, wrt):
        return lambda x, w: (program(x, w), right(x, w)[1])

    check_gradient(program, (X, W), "w", value_and_grad=value_and_grad)
    check_gradient(program, (X,), "w", kwargs={"w": W}, value_and_grad=value_and_grad)


def replaced(d_w, **parts):
    return {**d_w, **parts}


WRONG = {
    "factor": lambda a, b: (a * 1.00001, b),
    "factor in a scalar": lambda a, b: (a, replaced(b, scale=b["scale"] * 1.0001)),
    "sign": lambda a, b: (-a, b),
    "sign of one argument": lambda a, b: (a, {"scale": -b["scale"], "parts": b["parts"]}),
    "one element": lambda a, b: (a + np.array([0.0, 1e-5, 0.0]), b),
    "dropped term in one element": lambda a, b: (a - np.array([0.6, 0.0, 0.0]), b),
    "dropped element": lambda a, b: (a * np.array([1.0, 1.0, 0.0]), b),
    "swapped elements": lambda a, b: (a[[1, 0, 2]], b),
    "transposed product": lambda a, b: (a, replaced(b, parts=[b["parts"][0][::-1].copy(), b["parts"][1]])),
    "zero": lambda a, b: (np.zeros(3), b),
    "NaN": lambda a, b: (a * np.array([1.0, math.nan, 1.0]), b),
    "infinity": lambda a, b: (a, replaced(b, scale=math.inf)),
    "shape with an axis more": lambda a, b: (a[None], b),
    "shape collapsed": lambda a, b: (a.sum(), b),
    "shape of a scalar": lambda a, b: (a, replaced(b, scale=np.array(b["scale"]))),
    "dtype": lambda a, b: (a.astype(np.float32), b),
    "dtype of a scalar": lambda a, b: (a, replaced(b, scale=np.float64(b["scale"]))),
    "list for an array": lambda a, b: (a.tolist(), b),
    "tuple for a list": lambda a, b: (a, replaced(b, parts=tuple(b["parts"]))),
    "list for a tuple": lambda a, b: (a, replaced(b, parts=[b["parts"][0], list(b["parts"][1])])),
    "missing key": lambda a, b: (a, {"scale": b["scale"]}),
    "keys in another order": lambda a, b: (a, {"parts": b["parts"], "scale": b["scale"]}),
    "missing item": lambda a, b: (a, replaced(b, parts=b["parts"][:1])),
    "gradient of an integer": lambda a, b: (a, replaced(b, parts=[b["parts"][0], (b["parts"][1][0], 0.5)])),
    "integer for an integer": lambda a, b: (a, replaced(b, parts=[b["parts"][0], (b["parts"][1][0], 0)])),
    "None": lambda a, b: (a, None),
    "one gradient only": lambda a, b: (a,),
    "a list of gradients": lambda a, b: [a, b],
    "arguments exchanged": lambda a, b: (b, a),
    "read-only": lambda a, b: (np.frombuffer(a.tobytes()), b),
    "broadcast memory": lambda a, b: (
        a,
        replaced(b, parts=[np.lib.stride_tricks.as_strided(b["parts"][0], (2, 3), (0, 8)), b["parts"][1]]),
    ),
    "two gradients share memory": lambda a, b: (b["parts"][0][0], b),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_a_wrong_gradient_fails(change):
    with pytest.raises(GradientMismatch):
        run(fake(change))


def test_an_error_that_only_one_oracle_could_miss_fails_both():
    """The two oracles agree with one another, so an error is never excused by one of them."""
    x = np.array([0.3, 0.8])
    direction = [np.array([1.0, -0.7])]

    def function(a):
        return np.sum(np.exp(a) * np.sin(a) / (1.0 + a * a))

    line = check._Line(function, (x,), {}, [0], [x])
    exact = check.complex_step(lambda t: line(t, direction))
    central, error = check.central_difference(lambda t: line(t, direction), check.CENTRAL_STEP)
    one_sided, other_error = check.one_sided_difference(lambda t: line(t, direction), check.ONE_SIDED_STEP)
    assert abs(central - exact) < 1e-11
    assert abs(one_sided - exact) < 1e-11
    assert error < 1e-10
    assert other_error < 1e-9


def test_a_wrong_value_fails():
    for wrong in (lambda y: y * (1.0 + 2.0**-52), float, lambda y: np.asarray(y), lambda y: -y):
        with pytest.raises(GradientMismatch, match="the value is"):
            run(fake(function=lambda x, w, wrong=wrong: wrong(program(x, w))))


def test_a_changed_argument_fails():
    def change_x(x, w):
        y = program(x, w)
        x[1] += 1e-9
        return y

    with pytest.raises(GradientMismatch, match="arguments were changed"):
        run(fake(function=change_x))


def test_a_changed_container_fails():
    w = {"scale": 1.3, "parts": [W["parts"][0].copy(), (0.6, 2)]}

    def change_w(x, w):
        w["scale"] = 1.4
        return program(x, {**w, "scale": 1.3})

    with pytest.raises(GradientMismatch, match="arguments were changed"):
        check_gradient(program, (X, w), (0, 1), value_and_grad=fake(function=change_w))


def test_a_program_that_changes_its_argument_cannot_be_checked():
    def change_x(x, w):
        x[1] += 1.0
        return program(x, w)

    with pytest.raises(GradientMismatch, match="the program itself"):
        check_gradient(change_x, (X.copy(), W), (0, 1), value_and_grad=fake())


def test_an_argument_handed_out_as_its_gradient_fails():
    """The derivative of `x @ x / 2` is `x`: right in value, but the caller's own memory."""

    def half_square(x):
        return 0.5 * (x @ x)

    with pytest.raises(GradientMismatch, match="shares memory with an argument"):
        check_gradient(half_square, (X,), value_and_grad=lambda f, wrt: lambda x: (f(x), x))
    with pytest.raises(GradientMismatch, match="shares memory with an argument"):
        check_gradient(half_square, (X,), value_and_grad=lambda f, wrt: lambda x: (f(x), x[:]))
    check_gradient(half_square, (X,), value_and_grad=lambda f, wrt: lambda x: (f(x), x.copy()))


def test_a_container_of_the_argument_fails():
    def dot(pairs):
        return 0.5 * sum([a * a for pair in pairs for a in pair])

    pairs = [[0.5, 0.2], [0.3, -0.4]]
    for gradient in (pairs, [pairs[0], pairs[1]], [[0.5, 0.2], pairs[1]]):
        with pytest.raises(GradientMismatch, match="the argument's own"):
            check_gradient(dot, (pairs,), value_and_grad=lambda f, wrt, g=gradient: lambda x: (f(x), g))
    check_gradient(dot, (pairs,), value_and_grad=lambda f, wrt: lambda x: (f(x), [[0.5, 0.2], [0.3, -0.4]]))


def test_one_container_in_two_places_fails():
    def add(pairs):
        return pairs[0][0] + pairs[1][0]

    def value_and_grad(f, wrt):
        one = [1.0]
        return lambda pairs: (f(pairs), [one, one])

    with pytest.raises(GradientMismatch, match="one container"):
        check_gradient(add, ([[0.5], [0.2]],), value_and_grad=value_and_grad)


def test_a_gradient_kept_between_calls_fails():
    kept = {}

    def gradient(x, w):
        if not kept:
            kept["both"] = right(x, w)
        return kept["both"]

    with pytest.raises(GradientMismatch):
        run(fake(gradient=gradient))


def test_another_gradient_the_second_time_fails():
    calls = []

    def change(d_x, d_w):
        calls.append(1)
        return (d_x + 1e-16 if len(calls) > 1 else d_x), d_w

    with pytest.raises(GradientMismatch, match="second call"):
        run(fake(change))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numpy_scalars_keep_their_type(dtype):
    def cube(x):
        return x * x * x

    x = dtype(0.7)
    check_gradient(cube, (x,), value_and_grad=lambda f, wrt: lambda x: (f(x), 3 * x * x))
    for wrong in (float, np.float16, np.asarray):
        with pytest.raises(GradientMismatch):
            check_gradient(
                cube, (x,), value_and_grad=lambda f, wrt, w=wrong: lambda x: (f(x), w(3.0 * x * x))
            )
    with pytest.raises(GradientMismatch):
        check_gradient(cube, (x,), value_and_grad=lambda f, wrt: lambda x: (f(x), dtype(3.003 * x * x)))


def test_float32_has_a_wider_tolerance_but_not_a_wide_one():
    x = X.astype(np.float32)

    def square_sum(x):
        return (x * x).sum()

    def value_and_grad(factor):
        return lambda f, wrt: lambda x: (f(x), (np.float32(factor) * x))

    check_gradient(square_sum, (x,), value_and_grad=value_and_grad(2.00001))
    with pytest.raises(GradientMismatch):
        check_gradient(square_sum, (x,), value_and_grad=value_and_grad(2.001))


@pytest.mark.parametrize("analytic", [True, False])
def test_a_kink_makes_the_oracle_unsure(analytic):
    def kink(x):
        return max(x, 0.5003) * x

    with pytest.raises(UnsureOracle):
        check_gradient(
            kink,
            (0.5,),
            analytic=analytic,
            value_and_grad=lambda f, wrt: lambda x: (f(x), max(x, 0.5003)),
        )


def test_one_sided_differences_see_a_wrong_gradient():
    def function(x):
        return math.sin(x) * abs(x)

    def value_and_grad(factor):
        def gradient(x):
            return factor * (math.cos(x) * abs(x) + math.sin(x) * math.copysign(1.0, x))

        return lambda f, wrt: lambda x: (f(x), gradient(x))

    check_gradient(function, (-0.7,), analytic=False, value_and_grad=value_and_grad(1.0))
    with pytest.raises(GradientMismatch):
        check_gradient(function, (-0.7,), analytic=False, value_and_grad=value_and_grad(1.00001))


def test_an_imaginary_part_that_is_dropped_is_noticed():
    """A program that is not analytic must not pass for one whose derivative is zero."""

    def through_float(x):
        return np.asarray(x).astype(float).sum() * 2.0

    with pytest.raises(np.exceptions.ComplexWarning):
        check_gradient(through_float, (X,), value_and_grad=lambda f, wrt: lambda x: (f(x), 2.0 * np.ones(3)))


def test_an_infinite_derivative_excuses_only_its_own_element():
    def roots(x):
        return np.sum(np.sqrt(x))

    x = np.array([0.0, 4.0])

    def value_and_grad(second):
        return lambda f, wrt: lambda x: (f(x), np.array([math.inf, second]))

    check_gradient(roots, (x,), analytic=False, value_and_grad=value_and_grad(0.25))
    with pytest.raises(GradientMismatch):
        check_gradient(roots, (x,), analytic=False, value_and_grad=value_and_grad(math.nan))
    with pytest.raises(GradientMismatch):
        check_gradient(roots, (x,), analytic=False, value_and_grad=value_and_grad(0.26))
    with pytest.raises(GradientMismatch, match="nothing was checked"):
        check_gradient(
            roots,
            (np.zeros(2),),
            analytic=False,
            value_and_grad=lambda f, wrt: lambda x: (f(x), np.full(2, math.inf)),
        )


def test_empty_arguments_have_only_a_form():
    check_gradient(
        lambda x: x.sum(), (np.zeros((0, 2)),), value_and_grad=lambda f, wrt: lambda x: (f(x), x.copy())
    )
    with pytest.raises(GradientMismatch):
        check_gradient(
            lambda x: x.sum(), (np.zeros((0, 2)),), value_and_grad=lambda f, wrt: lambda x: (f(x), x.T.copy())
        )


def test_fingerprints_see_every_bit_and_no_nan_trouble():
    a = np.array([math.nan, 0.0])
    assert check.fingerprint([a, 1]) == check.fingerprint([a.copy(), 1])
    assert check.fingerprint([a]) != check.fingerprint([np.array([math.nan, -0.0])])
    assert check.fingerprint(1.0) != check.fingerprint(1)
    assert check.fingerprint(1.0) != check.fingerprint(np.float64(1.0))
    assert check.fingerprint((1.0,)) != check.fingerprint([1.0])
    assert check.fingerprint({"a": 1, "b": 2}) != check.fingerprint({"b": 2, "a": 1})
