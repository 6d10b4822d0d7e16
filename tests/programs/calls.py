"""Calls: functions, recursion, closures, methods, callable objects, and functions as values."""

import math
import sys
from typing import NamedTuple

import numpy as np

from tests.programs.table import Program, matrix, single, vector

THIS = sys.modules[__name__]


def square(x):
    """A function with a docstring, called from many programs."""
    return x * x


def scaled(x, factor=2.0, *, offset=0.5):
    return x * factor + offset


def clipped(x):
    if x > 1.0:
        return 1.0 + 0.1 * x
    return x


def both(x, y):
    return x * y, x + y


def total(*values):
    y = 0.0
    for v in values:
        y = y + v * v
    return y


def weighted(x, **weights):
    y = x
    for name, w in weights.items():
        y = y * w + len(name)
    return y


def positional(x, y, /, z=1.5):
    return x * y - z


def apply(f, x):
    return f(x)


def twice(f, x):
    return f(f(x))


def compose(f, g):
    def composed(x):
        return f(g(x))

    return composed


def make_scaler(factor):
    return lambda x: x * factor


def annotated(x: float, n: int = 2) -> float:
    y: float = x * n
    return y


triple = make_scaler(3.0)


def call(x):
    return square(x) + square(x + 1.0)


def call_deep(x):
    return first_level(x) * x


def first_level(x):
    return second_level(x * 2.0) + 1.0


def second_level(x):
    y = third_level(x, x + 1.0)
    return y * x


def third_level(a, b):
    return a * b + square(a)


def call_nested(x):
    return square(square(square(x) + 0.1) - 0.2)


def call_keywords(x, y):
    return scaled(factor=y, x=x) + scaled(x, offset=y) + scaled(x, y, offset=x * y)


def call_defaults(x):
    return scaled(x) * scaled(x, 3.0)


def call_positional_only(x, y):
    return positional(x, y) + positional(x, y, z=x) + positional(y, x, y)


def call_starred(x, y):
    values = [x, y, x * y]
    return total(*values) + total(x, *values[1:], y) + total()


def call_starred_keywords(x, y):
    weights = {"a": y, "bb": x * y}
    return weighted(x, **weights) + weighted(y, c=x, **weights)


def call_mixed_starred(x, y):
    arguments = (x,)
    options = {"offset": y}
    return scaled(*arguments, factor=y, **options)


def call_annotated(x):
    y: float = annotated(x)
    return y * annotated(x, n=3)


def call_early_return(x, y):
    return clipped(x) * clipped(y)


def call_several_results(x, y):
    a, b = both(x, y)
    c, d = both(a, b)
    return a * b + c / d


def call_uses_part_of_result(x, y):
    return both(x, y)[0] * both(y, x)[-1]


def statistics(a):
    mean = sum(a) / len(a)
    return {"mean": mean, "spread": sum([(v - mean) ** 2 for v in a])}


def call_returning_dict(a):
    facts = statistics(a)
    return facts["mean"] * facts["spread"]


def call_in_loop(x):
    y = x
    for k in range(4):
        y = scaled(y, factor=x, offset=k)
    return y


def call_in_condition(x):
    y = x
    if square(x) > 1.0 and clipped(y) > 0.5:
        y = square(y)
    while square(y) < 30.0:
        y = y * clipped(y)
    return y


def call_same_function_other_types(x, a):
    return square(x) + square(a).sum() + square(3) * x


def call_inactive_function(x, n):
    size = count_digits(n)
    return x**size * count_digits(n * 100)


def count_digits(n):
    digits = 0
    while n > 0:
        n = n // 10
        digits += 1
    return digits


def call_with_inactive_arguments(x, y):
    return third_level(x, 2.0) * third_level(3.0, y) + third_level(1.0, 2.0)


def returns_nothing(x):
    x = x * 2.0


def call_for_nothing(x):
    y = x * x
    returns_nothing(y)
    return y


def aliased_argument(x, y):
    return third_level(x, x) + both(y, y)[0]


def recursion_power(x, n):
    if n == 0:
        return 1.0
    return x * recursion_power(x, n - 1)


def recursion_two_calls(x, n):
    if n < 2:
        return x + n
    return recursion_two_calls(x, n - 1) * 0.7 + recursion_two_calls(x, n - 2) * x


def recursion_on_list(items):
    if not items:
        return 1.0
    first, *others = items
    return first * recursion_on_list(others) + first


def recursion_on_array(a):
    if a.shape[0] == 1:
        return a[0]
    half = len(a) // 2
    return recursion_on_array(a[:half]) * recursion_on_array(a[half:]) + a[0]


def recursion_on_tree(tree):
    if isinstance(tree, float):
        return tree * tree
    left, right = tree
    return recursion_on_tree(left) * 0.5 + recursion_on_tree(right) * recursion_on_tree(left)


def recursion_with_loop(x, n):
    y = x
    for k in range(n):
        if k > 1:
            break
        y = y + 0.5 * recursion_with_loop(x * 0.9, n - 1)
    return y


def recursion_until_small(x, y):
    if y < 0.1:
        return x
    return recursion_until_small(x + y * y, y * 0.4) * x


def even_part(x, n):
    if n == 0:
        return x
    return odd_part(x * 1.1, n - 1) + 0.1 * x


def odd_part(x, n):
    if n == 0:
        return x * x
    return even_part(x + 0.2, n - 1) * x


def mutual_recursion(x, n):
    return even_part(x, n) + odd_part(x, n)


def closure_factory(x):
    return triple(x) * make_scaler(0.5)(x)


def closure_over_active(x, y):
    scale = make_scaler(x)
    return scale(y) + scale(x)


def lambda_bound(x):
    f = lambda v: v * v + x  # noqa: E731
    return f(x) * f(2.0)


def lambda_immediate(x, y):
    return (lambda a, b=3.0: a * b + y)(x) + (lambda *v: v[0] * v[1])(x, y)


def lambda_argument(x, y):
    return apply(lambda v: v * y, x) + twice(lambda v: v * v + y, x)


def lambda_default_captures(x):
    f = lambda v, w=x * x: v * w  # noqa: E731
    x = x + 1.0
    return f(x)


def nested_definition(x):
    def inner(v):
        return v * v + 1.0

    return inner(x) * inner(inner(x))


def nested_captures_active(x, y):
    def inner(v):
        return v * x + y

    return inner(x) * inner(y)


def nested_sees_rebinding(x):
    scale = x

    def inner(v):
        return v * scale

    a = inner(x)
    scale = x * x
    b = inner(x)
    return a * b + scale


def nested_in_loop_sees_latest(x):
    y = 0.0
    for k in range(4):
        z = x * k

        def inner(v):
            return v * z + k

        y = y + inner(x)
    z = x
    return y + inner(2.0)


def nested_defined_before_its_variable(x):
    def inner():
        return later * x

    later = x * 3.0
    return inner()


def nested_default_argument(x):
    def inner(v, w=x):
        return v * w

    x = x * x
    return inner(x) + inner(x, x)


def nested_two_levels(x, y):
    def outer(a):
        b = a * y

        def inner(c):
            return c * b * x

        return inner(a) + inner(y)

    return outer(x) * outer(y)


def nested_with_early_return(x):
    def inner(v):
        for k in range(5):
            v = v * 1.3 + 0.1 * x
            if v > 2.0:
                return v * k
        return v

    return inner(x) + inner(0.1 * x)


def nested_recursion(x, n):
    def inner(v, m):
        if m == 0:
            return v
        return inner(v * x, m - 1) + v

    return inner(x, n)


def nested_closure_returned(x, y):
    f = compose(square, lambda v: v * y)
    g = compose(f, f)
    return f(x) + g(x)


def nested_shadows_outer(x):
    y = x * 2.0

    def inner(x):
        y = x * 3.0
        return y * y

    return inner(y) + y


def function_as_argument(x):
    return apply(square, x) + twice(square, x) + apply(np.sin, x) * apply(math.floor, 3.7)


def function_chosen(x, flag):
    f = square if flag else clipped
    return f(x) * x


def functions_in_list(x):
    functions = [square, np.exp, lambda v: v * 2.0]
    y = 0.0
    for f in functions:
        y = y + f(x)
    return y * functions[0](y)


def functions_in_dict(x, kind):
    table = {"square": square, "clip": clipped, "sine": np.sin}
    return table[kind](x) + table["sine"](x)


def function_alias(x):
    f = square
    g = f
    return g(x) * f(x)


def apply_n_times(f, x, n):
    for _ in range(n):
        x = f(x)
    return x


def iterated(x):
    return apply_n_times(lambda v: v * v * 0.5 + 0.3 * x, x, 4)


class Layer:
    activation = staticmethod(np.tanh)
    default = 0.25

    def __init__(self, weight, bias=0.1):
        self.weight = weight
        self.bias = bias
        self.inner = None

    def __call__(self, x):
        return self.forward(x) + self.default

    def forward(self, x):
        return np.tanh(self.weight * x + self.bias)

    def twice(self, x):
        return self.forward(self.forward(x)) * self.bias

    @property
    def norm(self):
        return self.weight * self.weight

    @staticmethod
    def penalty(x):
        return 0.5 * x * x

    @classmethod
    def offset(cls, x):
        return x + cls.default


class Deep(Layer):
    def forward(self, x):
        return Layer.forward(self, x) * 2.0


LAYER = Layer(0.7)
LAYER.inner = Layer(1.4, 0.3)


class Point(NamedTuple):
    x: float
    y: float


def method_call(x):
    return LAYER.forward(x) * LAYER.twice(x)


def method_of_argument(x, layer):
    return layer.forward(x) + layer.twice(x * 2.0)


def method_bound_to_name(x):
    f = LAYER.forward
    return f(x) * apply(LAYER.twice, x)


def method_static_and_class(x):
    return Layer.penalty(x) + LAYER.penalty(x) * Layer.offset(x) + LAYER.offset(x)


def callable_object(x):
    return LAYER(x) * LAYER(x + 1.0)


def callable_objects_in_list(x, layers):
    for layer in layers:
        x = layer(x)
    return x * x


def attributes_of_object(x):
    return LAYER.weight * x + LAYER.inner.bias * x * x + LAYER.default


def attribute_of_module(x):
    return THIS.square(x) * math.pi + THIS.triple(x)


def attribute_property(x):
    return LAYER.norm * x


def named_tuple_argument(point, s):
    return point.x * point.y * s + point[0] + len(point)


def named_tuple_built(x):
    point = Point(x, x * x)
    a, b = point
    return point.x * point.y + a * b


def tree_of_calls_with_arrays(w, x):
    return layer(layer(x, w), w @ w).sum()


def layer(x, w):
    return np.tanh(w @ x)


def call_array_and_branch(a):
    y = normalised(a)
    return (y * np.arange(len(a))).sum()


def normalised(a):
    total = a.sum()
    if total > 0.0:
        return a / total
    return a * total


def call_in_comprehension(items):
    return sum([square(v) * clipped(v) for v in items])


def call_inside_call_arguments(x, y):
    return scaled(square(x), square(y), offset=total(x, y)) * clipped(square(clipped(y)))


def call_in_return_of_both_branches(x):
    return square(x) if x > 1.0 else scaled(x)


def call_with_containers(x, y):
    return dot([x, y], (y, 2.0)) * norms({"a": [x, y], "b": [y]})


def dot(a, b):
    y = 0.0
    for u, v in zip(a, b):
        y += u * v
    return y


def norms(groups):
    return sum([dot(g, g) for g in groups.values()])


PROGRAMS = [
    Program("call", call, 1.3),
    Program("call_float32", call, single(1.3)),
    Program("call_deep", call_deep, 1.3),
    Program("call_nested", call_nested, 0.8),
    Program("call_keywords", call_keywords, 1.3, 0.4, wrt=(0, 1)),
    Program("call_defaults", call_defaults, 1.3),
    Program("default_arguments_at_the_top", scaled, 1.3),
    Program("keyword_arguments_at_the_top", scaled, 1.3, offset=0.7, wrt=("offset", 0)),
    Program("call_positional_only", call_positional_only, 1.3, 0.4, wrt=(0, 1)),
    Program("call_starred", call_starred, 1.3, 0.4, wrt=(0, 1)),
    Program("call_starred_keywords", call_starred_keywords, 1.3, 0.4, wrt=(0, 1)),
    Program("call_mixed_starred", call_mixed_starred, 1.3, 0.4, wrt=(0, 1)),
    Program("call_annotated", call_annotated, 1.3),
    Program("call_early_return", call_early_return, 1.3, 0.4, wrt=(0, 1)),
    Program("call_several_results", call_several_results, 1.3, 0.4, wrt=(0, 1)),
    Program("call_uses_part_of_result", call_uses_part_of_result, 1.3, 0.4, wrt=(0, 1)),
    Program("call_returning_dict", call_returning_dict, [1.3, 0.4, -0.7]),
    Program("call_in_loop", call_in_loop, 1.3),
    Program("call_in_condition", call_in_condition, 1.3),
    Program("call_same_function_other_types", call_same_function_other_types, 1.3, vector(3), wrt=(0, 1)),
    Program("call_inactive_function", call_inactive_function, 1.3, 42),
    Program("call_with_inactive_arguments", call_with_inactive_arguments, 1.3, 0.4, wrt=(0, 1)),
    Program("call_for_nothing", call_for_nothing, 1.3),
    Program("aliased_argument", aliased_argument, 1.3, 0.4, wrt=(0, 1)),
    Program("recursion_power", recursion_power, 1.3, 4),
    Program("recursion_two_calls", recursion_two_calls, 1.3, 5),
    Program("recursion_on_list", recursion_on_list, [1.3, 0.4, -0.7]),
    Program("recursion_on_array", recursion_on_array, vector(5)),
    Program("recursion_on_tree", recursion_on_tree, ((1.3, 0.4), (0.7, (1.1, -0.2))), analytic=False),
    Program("recursion_with_loop", recursion_with_loop, 1.3, 3),
    Program("recursion_until_small", recursion_until_small, 1.3, 1.7, wrt=(0, 1)),
    Program("mutual_recursion", mutual_recursion, 1.3, 4),
    Program("closure_factory", closure_factory, 1.3),
    Program("closure_at_the_top", triple, 1.3),
    Program("closure_over_active", closure_over_active, 1.3, 0.4, wrt=(0, 1)),
    Program("lambda_bound", lambda_bound, 1.3),
    Program("lambda_immediate", lambda_immediate, 1.3, 0.4, wrt=(0, 1)),
    Program("lambda_argument", lambda_argument, 1.3, 0.4, wrt=(0, 1)),
    Program("lambda_default_captures", lambda_default_captures, 1.3),
    Program("nested_definition", nested_definition, 1.3),
    Program("nested_captures_active", nested_captures_active, 1.3, 0.4, wrt=(0, 1)),
    Program("nested_sees_rebinding", nested_sees_rebinding, 1.3),
    Program("nested_in_loop_sees_latest", nested_in_loop_sees_latest, 1.3),
    Program("nested_defined_before_its_variable", nested_defined_before_its_variable, 1.3),
    Program("nested_default_argument", nested_default_argument, 1.3),
    Program("nested_two_levels", nested_two_levels, 1.3, 0.4, wrt=(0, 1)),
    Program("nested_with_early_return", nested_with_early_return, 1.3),
    Program("nested_recursion", nested_recursion, 1.3, 3),
    Program("nested_closure_returned", nested_closure_returned, 1.3, 0.4, wrt=(0, 1)),
    Program("nested_shadows_outer", nested_shadows_outer, 1.3),
    Program("function_as_argument", function_as_argument, 1.3),
    Program("function_argument_at_the_top", apply, square, 1.3, wrt="x"),
    Program("function_chosen", function_chosen, 1.3, True),
    Program("function_chosen_other", function_chosen, 1.3, False),
    Program("functions_in_list", functions_in_list, 1.3),
    Program("functions_in_dict", functions_in_dict, 1.3, "clip"),
    Program("function_alias", function_alias, 1.3),
    Program("iterated", iterated, 0.8),
    Program("method_call", method_call, 1.3),
    Program("method_of_argument", method_of_argument, 1.3, Layer(0.6)),
    Program("method_of_subclass", method_of_argument, 1.3, Deep(0.6)),
    Program("method_bound_to_name", method_bound_to_name, 1.3),
    Program("method_at_the_top", LAYER.twice, 1.3),
    Program("method_static_and_class", method_static_and_class, 1.3),
    Program("callable_object", callable_object, 1.3),
    Program("callable_object_at_the_top", LAYER, 1.3),
    Program("callable_objects_in_list", callable_objects_in_list, 1.3, [Layer(0.6), Layer(1.2), np.sin]),
    Program("attributes_of_object", attributes_of_object, 1.3),
    Program("attribute_of_module", attribute_of_module, 1.3),
    Program("attribute_property", attribute_property, 1.3),
    Program("named_tuple_argument", named_tuple_argument, Point(1.3, 0.4), 0.7, wrt=(0, 1)),
    Program("named_tuple_built", named_tuple_built, 1.3),
    Program("tree_of_calls_with_arrays", tree_of_calls_with_arrays, matrix(3, 3), vector(3), wrt=(0, 1)),
    Program("call_array_and_branch", call_array_and_branch, np.abs(vector(4))),
    Program("call_array_other_branch", call_array_and_branch, -np.abs(vector(4))),
    Program("call_in_comprehension", call_in_comprehension, [1.3, 0.4, -0.7]),
    Program("call_inside_call_arguments", call_inside_call_arguments, 1.3, 0.4, wrt=(0, 1)),
    Program("call_in_return_of_both_branches", call_in_return_of_both_branches, 1.3),
    Program("call_with_containers", call_with_containers, 1.3, 0.4, wrt=(0, 1)),
]
