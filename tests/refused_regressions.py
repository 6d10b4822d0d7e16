"""Programs that were once accepted and wrong, or refused in poor words: now refused, with a place.

In the form of `tests/refused.py`: `# refused` marks the line that the error names.
"""

from __future__ import annotations

import collections
import functools
import warnings

import numpy as np

from myia import grad
from myia.errors import (
    MissingRule,
    NotDifferentiable,
    UnknownArgument,
    UnsupportedMutation,
    UnsupportedSyntax,
)
from tests.refused import Refusal

BUFFER = np.ones(3)
FACTOR = 2.0
V = np.array([0.5, -0.2, 0.9])
W = np.array([1.5, 0.3, -0.4])


# -- writes in place that no active value takes part in ---------------------------------------------


def helper_writes_global_array(x):
    write_buffer(1.0)
    y = (x * BUFFER).sum()
    write_buffer(5.0)
    return y + (x * BUFFER).sum()


def write_buffer(k):
    BUFFER[0] = k  # refused


def helper_with_try_writes(x, a):
    b = a * 1.0
    y = (x * b).sum()
    scale_in_try(b)
    return y + (x * b).sum()


def scale_in_try(a):
    try:  # refused
        a *= 2.0
    except ValueError:
        pass


def helper_writes_global_name(x):
    set_factor(3.0)
    y = x * FACTOR
    set_factor(5.0)
    return y + x * FACTOR


def set_factor(v):
    global FACTOR  # refused
    FACTOR = v


def make_nonlocal_writer():
    k = 2.0

    def set_k(v):
        nonlocal k  # refused
        k = v

    def sibling_writes_nonlocal(x):
        set_k(3.0)
        y = x * k
        set_k(5.0)
        return y + x * k

    return sibling_writes_nonlocal


class Holder:
    def __init__(self):
        self.buffer = np.ones(3)
        self.count = 0

    def step(self, v):
        self.buffer[0] = v  # refused
        return self.count


HOLDER = Holder()


def writes_both(a, b):
    a[0] = 5.0
    b[0] = 7.0


def helper_writes_global_first(x):
    y = x * 1.0
    writes_both(BUFFER, y)  # refused
    return (y * y).sum()


def helper_writes_global_last(x):
    y = x * 1.0
    writes_both(y, BUFFER)  # refused
    return (y * y).sum()


def method_writes_its_array(x):
    y = (x * HOLDER.buffer).sum()
    HOLDER.step(5.0)  # refused
    return y + (x * HOLDER.buffer).sum()


class WritesWhenCalled:
    def __call__(self, b):
        b[0] = 7.0


CALLABLE = WritesWhenCalled()


def callable_object_writes(x, b):
    y = (x * b).sum()
    CALLABLE(b)  # refused
    return y + (x * b).sum()


def overwrite_first(b):
    b[0] = 7.0
    return 1.0


def mapped_function_writes(x, b):
    y = (x * b).sum()
    list(map(overwrite_first, [b]))  # refused
    return y + (x * b).sum()


def key_function_writes(x, b):
    y = (x * b).sum()
    sorted([b], key=overwrite_first)  # refused
    return y + (x * b).sum()


def partial_function_writes(x, b):
    y = (x * b).sum()
    functools.partial(overwrite_first, b)()  # refused
    return y + (x * b).sum()


def applied_along_axis_writes(x, b):
    y = (x * b).sum()
    np.apply_along_axis(overwrite_first, 0, b)  # refused
    return y + (x * b).sum()


def bound_append_called_later(x, items):
    y = x[0] * items[0]
    add = items.append  # refused
    add(3.0)
    return y + x[0] * items[-1]


def bound_sort_called_later(x, a):
    b = a[::-1]
    y = (x * b).sum()
    s = b.sort  # refused
    s()
    return y + (x * b).sum()


def setitem_of_flat(x, a):
    b = a * 1.0
    y = (x * b).sum()
    b.flat.__setitem__(0, 7.0)  # refused
    return y + (x * b).sum()


def assigns_shape(x, a):
    y = (x * a).sum()
    a.shape = (3, 1)  # refused
    return y


def dunder_augmented(x, a):
    b = a * 1.0
    y = (x * b).sum()
    b.__imul__(2.0)  # refused
    return y + (x * b).sum()


# An output array given by position.


def clip_method_into_itself(x, a):
    y = (x * a).sum()
    a.clip(0.0, 1.0, a)  # refused
    return y + (x * a).sum()


def sum_method_into(x, a):
    o = np.zeros(())
    y = (x * o).sum()
    a.sum(0, None, o)  # refused
    return y + (x * o).sum()


def random_into(x, b):
    rng = np.random.default_rng(0)
    y = (x * b).sum()
    rng.random(3, np.float64, b)  # refused
    return y + (x * b).sum()


# -- objects with operators of their own ------------------------------------------------------------


class Squares:
    def __mul__(self, other):
        return other * other

    def __rmul__(self, other):
        return other * other

    def __add__(self, other):
        return other * other

    def __radd__(self, other):
        return other * other

    def __getitem__(self, index):
        return index * index

    def __matmul__(self, other):
        return other * other

    def __pow__(self, other):
        return other * other


class CallableSquares(Squares):
    def __call__(self, x):
        return x * x


SQUARES, CALLABLE_SQUARES = Squares(), CallableSquares()


def object_times(x):
    return SQUARES * x  # refused


def object_times_reflected(x):
    return x * SQUARES  # refused


def object_plus_array(x):
    return (SQUARES + x).sum()  # refused


def object_matmul_array(x):
    return (SQUARES @ x).sum()  # refused


def object_power(x):
    return SQUARES**x  # refused


def object_indexed(x):
    return SQUARES[x]  # refused


def object_from_list(x):
    return [SQUARES, 2.0][0] * x  # refused


def object_argument_times(x, squares):
    return squares * x  # refused


def callable_object_times(x):
    return x * CALLABLE_SQUARES  # refused


def callable_object_times_array(x):
    return (CALLABLE_SQUARES * x).sum()  # refused


def callable_object_matmul(x):
    return (CALLABLE_SQUARES @ x).sum()  # refused


def callable_object_indexed(x):
    return CALLABLE_SQUARES[x]  # refused


class Counts:
    def __init__(self, n):
        self.n = n

    def __iadd__(self, other):
        self.n = self.n + other
        return self


def augments_an_object(x):
    z = Counts(1.0)
    z += 1.0  # refused
    return z.n * x


# Subclasses of arrays, with multiplications of their own.

with warnings.catch_warnings(action="ignore"):  # NumPy would rather have nobody use it
    MATRIX = np.asmatrix(np.eye(3))
MASKED = np.ma.masked_array([1.0, 2.0, 3.0], [0, 1, 0])


def matrix_class_global(x):
    return (MATRIX * x).sum()  # refused


def masked_array_global(x):
    return (MASKED * x).sum()  # refused


def masked_array_argument(x):  # refused
    return (x * x).sum()


# -- nested functions -------------------------------------------------------------------------------


def applied(g, x):
    return g(x)


def capture_rebound_after_lambda(x):
    a = x
    g = lambda t: a * t  # noqa: E731
    a = x * x  # refused
    return applied(g, x)


def capture_rebound_in_loop(x):
    a, s = x, 0.0
    g = lambda t: a * t  # noqa: E731
    for _ in range(3):
        a = a * x  # refused
        s = s + applied(g, x)
    return s


def capture_rebound_in_branch(x, flag):
    a = x

    def g(t):
        return a * t

    if flag:
        a = x * x  # refused
    return applied(g, x) * a


def nested_one_name_in_branches(x):
    if x > 1.0:

        def g(t):
            return t * x

    else:

        def g(t):  # refused
            return t + x

    return g(x)


def nested_one_name_in_sequence(x):
    def g(t):
        return t * x

    y = g(x)

    def g(t):  # refused
        return t + x

    return y * g(x)


def nested_name_then_lambda(x):
    def g(t):
        return t * x

    y = g(x)
    g = lambda t: t + x  # refused  # noqa: E731
    return y * g(x)


def lambdas_with_defaults_in_list(x):
    fs = [lambda t, k=k: t * k for k in [1.0, 2.0, 3.0]]  # refused
    return fs[0](x) + fs[2](x) * x


def lambdas_with_active_defaults(x):
    fs = [lambda t, k=k * x: t * k for k in [1.0, 2.0, 3.0]]  # refused
    return fs[0](x) + fs[2](x)


def lambda_with_default_in_loop(x):
    y = x
    for k in range(3):
        f = lambda t, k=k: t * x + k  # refused  # noqa: B023, E731
        y = f(y)
    return y


def makes_scaler(k):
    return lambda t: t * k


def closures_in_list(x):
    fs = [makes_scaler(k * x) for k in [1.0, 2.0, 3.0]]  # refused
    return fs[0](x) + fs[2](x) * x


# -- functions --------------------------------------------------------------------------------------


def sum_of_lists(items):
    return sum(items, [])[2] ** 2  # refused  # noqa: RUF017


def sum_of_tuples(x):
    return sum([(x, 2.0), (x * x,)], ())[2] * x  # refused  # noqa: RUF017


def sorts_with_key(items):
    return sorted(items, key=lambda v: -v)[0]  # refused


def largest_with_key(items):
    return max(items, key=lambda v: v * v)  # refused


def power_becomes_complex(x):
    y = x ** (1 / 3)  # refused
    return abs(y) ** 2


def looks_for_a_newer_function(x):
    return np.no_such_function(x) if hasattr(np, "no_such_function") else x.sum()  # refused


def undefined_name_not_reached(x):
    return x * x if x > 0.0 else not_defined(x)  # refused  # noqa: F821


Named = collections.namedtuple("Named", "a b")


def replaces_field(x):
    return Named(x, 2.0)._replace(a=x * x).a  # refused


@grad
def slope(x):
    return x**3


def gradient_of_gradient(x):
    return slope(x)  # refused


def gradient_made_inside(x):
    return grad(lambda v: v**3)(x)  # refused


def any_arguments(*args, **kwargs):  # refused
    return args[0] * args[0]


REFUSED = [
    Refusal("helper_writes_global_array", helper_writes_global_array, UnsupportedMutation, V, at="BUFFER[0]"),
    Refusal(
        "helper_writes_global_first",
        helper_writes_global_first,
        UnsupportedMutation,
        V,
        at="writes_both(BUFFER, y)",
    ),
    Refusal(
        "helper_writes_global_last",
        helper_writes_global_last,
        UnsupportedMutation,
        V,
        at="writes_both(y, BUFFER)",
    ),
    Refusal("helper_with_try_writes", helper_with_try_writes, UnsupportedSyntax, V, W, at="try:"),
    Refusal(
        "helper_writes_global_name", helper_writes_global_name, UnsupportedSyntax, 1.3, at="global FACTOR"
    ),
    Refusal("sibling_writes_nonlocal", make_nonlocal_writer(), UnsupportedSyntax, 1.3, at="nonlocal k"),
    Refusal(
        "method_writes_its_array", method_writes_its_array, UnsupportedMutation, V, at="HOLDER.step(5.0)"
    ),
    Refusal("callable_object_writes", callable_object_writes, UnsupportedMutation, V, W, at="CALLABLE(b)"),
    Refusal(
        "mapped_function_writes",
        mapped_function_writes,
        UnsupportedMutation,
        V,
        W,
        at="map(overwrite_first, [b])",
    ),
    Refusal(
        "key_function_writes",
        key_function_writes,
        UnsupportedMutation,
        V,
        W,
        at="sorted([b], key=overwrite_first)",
    ),
    Refusal(
        "partial_function_writes",
        partial_function_writes,
        UnsupportedMutation,
        V,
        W,
        at="functools.partial(overwrite_first, b)()",
    ),
    Refusal(
        "applied_along_axis_writes",
        applied_along_axis_writes,
        UnsupportedMutation,
        V,
        W,
        at="np.apply_along_axis(overwrite_first, 0, b)",
    ),
    Refusal(
        "bound_append_called_later",
        bound_append_called_later,
        UnsupportedMutation,
        V,
        [1.0],
        at="items.append",
    ),
    Refusal("bound_sort_called_later", bound_sort_called_later, UnsupportedMutation, V, W, at="b.sort"),
    Refusal("setitem_of_flat", setitem_of_flat, UnsupportedMutation, V, W, at=""),
    Refusal("assigns_shape", assigns_shape, UnsupportedMutation, V, W, at="a.shape"),
    Refusal("dunder_augmented", dunder_augmented, UnsupportedMutation, V, W, at="b.__imul__(2.0)"),
    Refusal(
        "clip_method_into_itself",
        clip_method_into_itself,
        UnsupportedMutation,
        V,
        W,
        at="a.clip(0.0, 1.0, a)",
    ),
    Refusal("sum_method_into", sum_method_into, UnsupportedMutation, V, W, at="a.sum(0, None, o)"),
    Refusal("random_into", random_into, UnsupportedMutation, V, W, at="rng.random(3, np.float64, b)"),
    Refusal("object_times", object_times, MissingRule, 1.3, at="SQUARES * x"),
    Refusal("object_times_reflected", object_times_reflected, MissingRule, 1.3, at="x * SQUARES"),
    Refusal("object_plus_array", object_plus_array, MissingRule, V, at="SQUARES + x"),
    Refusal("object_matmul_array", object_matmul_array, MissingRule, V, at="SQUARES @ x"),
    Refusal("object_power", object_power, MissingRule, 1.3, at="SQUARES**x"),
    Refusal("object_indexed", object_indexed, MissingRule, 1.3, at="SQUARES[x]"),
    Refusal("object_from_list", object_from_list, MissingRule, 1.3),
    Refusal("object_argument_times", object_argument_times, MissingRule, 1.3, SQUARES, at="squares * x"),
    Refusal("callable_object_times", callable_object_times, MissingRule, 1.3, at="x * CALLABLE_SQUARES"),
    Refusal(
        "callable_object_times_array", callable_object_times_array, MissingRule, V, at="CALLABLE_SQUARES * x"
    ),
    Refusal("callable_object_matmul", callable_object_matmul, MissingRule, V, at="CALLABLE_SQUARES @ x"),
    Refusal("callable_object_indexed", callable_object_indexed, MissingRule, 1.3, at="CALLABLE_SQUARES[x]"),
    Refusal("augments_an_object", augments_an_object, UnsupportedMutation, 1.3),
    Refusal("matrix_class_global", matrix_class_global, MissingRule, V, at="MATRIX * x"),
    Refusal("masked_array_global", masked_array_global, MissingRule, V, at="MASKED * x"),
    Refusal("masked_array_argument", masked_array_argument, NotDifferentiable, MASKED),
    Refusal("matrix_class_argument", masked_array_argument, NotDifferentiable, MATRIX),
    Refusal(
        "capture_rebound_after_lambda", capture_rebound_after_lambda, UnsupportedSyntax, 1.3, at="a = x * x"
    ),
    Refusal("capture_rebound_in_loop", capture_rebound_in_loop, UnsupportedSyntax, 1.3, at="a = a * x"),
    Refusal(
        "capture_rebound_in_branch", capture_rebound_in_branch, UnsupportedSyntax, 1.3, True, at="a = x * x"
    ),
    Refusal(
        "nested_one_name_in_branches", nested_one_name_in_branches, UnsupportedSyntax, 1.3, at="def g(t):"
    ),
    Refusal(
        "nested_one_name_in_sequence", nested_one_name_in_sequence, UnsupportedSyntax, 1.3, at="def g(t):"
    ),
    Refusal("nested_name_then_lambda", nested_name_then_lambda, UnsupportedSyntax, 1.3, at="lambda t: t + x"),
    Refusal("lambdas_with_defaults_in_list", lambdas_with_defaults_in_list, UnsupportedSyntax, 1.3, at="k"),
    Refusal("lambdas_with_active_defaults", lambdas_with_active_defaults, UnsupportedSyntax, 1.3, at="k * x"),
    Refusal("lambda_with_default_in_loop", lambda_with_default_in_loop, UnsupportedSyntax, 1.3, at="k"),
    Refusal("closures_in_list", closures_in_list, UnsupportedSyntax, 1.3, at="makes_scaler(k * x)"),
    Refusal("sum_of_lists", sum_of_lists, MissingRule, [[1.3, 0.4], [0.7]], at="sum(items, [])"),
    Refusal("sum_of_tuples", sum_of_tuples, MissingRule, 1.3, at="sum([(x, 2.0), (x * x,)], ())"),
    Refusal("sorts_with_key", sorts_with_key, MissingRule, [1.3, 0.4], at="sorted(items, key="),
    Refusal("largest_with_key", largest_with_key, MissingRule, [1.3, 0.4], at="max(items, key="),
    Refusal("power_becomes_complex", power_becomes_complex, NotDifferentiable, -8.0),
    Refusal(
        "looks_for_a_newer_function",
        looks_for_a_newer_function,
        UnsupportedSyntax,
        V,
        at="np.no_such_function",
    ),
    Refusal(
        "undefined_name_not_reached", undefined_name_not_reached, UnsupportedSyntax, 1.3, at="not_defined"
    ),
    Refusal("replaces_field", replaces_field, MissingRule, 1.3, at="Named(x, 2.0)"),
    Refusal("gradient_of_gradient", gradient_of_gradient, MissingRule, 1.3, at="slope(x)"),
    Refusal("gradient_made_inside", gradient_made_inside, UnsupportedSyntax, 1.3),
    Refusal("selects_from_any_arguments", any_arguments, UnknownArgument, 1.3),
]
