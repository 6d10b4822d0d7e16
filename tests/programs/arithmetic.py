"""Scalar arithmetic, comparisons, logic, and the names that hold the results."""

import math

import numpy as np

from tests.programs.table import Program, single

RATE = 0.75
SETTINGS = {"scale": 1.5}


def identity(x):
    return x


def add_subtract(x, y):
    return x + y - 2.0 * x


def four_operations(x, y):
    return (x + y) * (x - y) / (y + 3.0)


def divide_by_itself(x):
    return x / x + x - x + x * x


def reciprocal(x):
    return 1.0 / x - 1 / (x * x)


def unary_signs(x):
    return -x * +x - -x


def power_integer(x):
    return x**3 - x**2 + x**1


def power_of_negative_base(x):
    return (x - 3.0) ** 2 + (x - 4.0) ** 3


def power_negative(x):
    return x**-2 + x ** (-1.5)


def power_fractional(x):
    return x**2.5 + x**0.5


def power_variable(x, y):
    return x**y + y**x


def power_of_constant(x):
    return 2.0**x + 3**x


def power_right_associative(x):
    return x**x**0.5


def floor_divide(x, y):
    return x // 0.7 * y + x


def modulo(x, y):
    return x % 0.7 * y + 5.3 % y + -x % 0.9


def absolute_value(x, y):
    return abs(x) * abs(y) + abs(x - y)


def builtin_max(x, y):
    return max(x, y) * 2.0 + max(x * y, 0.0, y)


def builtin_min(x, y):
    return min(x, y) * 2.0 + min([x * y, 5.0, y])


def builtin_sum(x, y):
    return sum([x, y, x * y]) + sum((x, y), 2.0 * x)


def builtin_float_int(x):
    return float(x) * int(x * 3.0) + round(x)


def math_trigonometry(x):
    return (
        math.sin(x) * math.cos(x) + math.tan(0.5 * x) + math.atan(x) + math.asin(0.3 * x) - math.acos(0.2 * x)
    )


def math_exponentials(x):
    return (
        math.exp(-x)
        + math.log(x)
        + math.log1p(x) * math.expm1(x)
        + math.log2(x)
        - math.log10(x)
        + math.sqrt(x)
    )


def math_hyperbolic(x):
    return math.sinh(x) + math.cosh(x) * math.tanh(x)


def math_two_arguments(x, y):
    return math.hypot(x, y) + math.atan2(y, x) * math.pow(x, y)


def math_constants(x):
    return math.pi * x + math.e * x**2 - math.tau


def math_error_function(x):
    return math.erf(x) + math.floor(x * 3.3) * x + math.fabs(x)


def numpy_on_scalars(x, y):
    return np.sin(x) * np.exp(y) + np.tanh(x * y)


def numpy_constants(x):
    return np.pi * x * np.e + np.sqrt(2.0) * x


def comparisons_as_numbers(x, y):
    return x * (x > y) + y * (x <= y) + (x != y) * x * y + (x == 99.0) * 7.0


def chained_comparison(x, y):
    if 0.0 < x < y <= 5.0 != x:
        return x * y
    return x + y


def chained_comparison_stops(x):
    if 1.0 < x < 0.0 < 1.0 / (x - x):
        return 0.0
    return x * 4.0


def logical_values(x, y):
    a = x and y
    b = 0.0 or y * y
    c = (x > 100.0 and x) or x * x
    return a + b + c


def logical_not(x):
    y = x * 2.0
    if not x > 5.0 and not (x < 0.0 or x > 4.0):
        y = y * x
    return y


def short_circuit(x, y):
    if y == 0.0 or x / y > 0.1:
        return x * x
    return y


def short_circuit_untaken(x, y):
    if y != 0.0 and 1.0 / y > 1.0:
        return x * y
    return x * x + y


def conditional_expression(x, y):
    z = x * y if x > y else x - y
    return z * (x if z > 0.0 else y)


def conditional_nested(x):
    return x if x < 0.0 else x * x if x < 1.0 else x**3 if x < 2.0 else 0.0


def conditional_in_operand(x, n):
    return (x if n else -x) * (2.0 if n > 2 else 3.0) + (x * x if n is None else x)


def augmented_assignment(x, y):
    z = x
    z += y
    z *= x
    z -= 0.5 * y
    z /= x + 2.0
    z **= 2
    return z


def augmented_floor_modulo(x, y):
    z = x * y
    z %= 0.8
    w = x * 5.0
    w //= 0.9
    return z + w * x


def walrus(x):
    y = (z := x * x) + z
    return y * (w := z + 1.0) + w


def walrus_in_test(x):
    if (y := x * x) > 1.0 and (z := y + x) < 100.0:
        return y * z
    return y


def chained_assignment(x):
    a = b = x * 2.0
    a = a * b
    return a + b


def tuple_assignment(x, y):
    a, b = x + y, x * y
    a, b = b, a
    (c, d), e = (a * b, a), b
    return a / b + c * d - e


def overwritten_after_use(x):
    y = x * x
    z = y * x
    y = z * y
    z = y + z
    x = x * z
    return x * y


def reused_name(x):
    x = x * x
    x = x + 1.0
    x = 1.0 / x
    return x


def shadowed_builtins(x):
    sum = x * 2.0
    len = sum * x
    max = len + sum
    return max * len


def names_of_the_emitted_code(x):
    d_x = x * 2.0
    rt = d_x * x
    np = rt + d_x
    d_d_x = np * rt
    y_saved = d_d_x + x
    return y_saved * d_x


def unused_results(x):
    y = x * x
    z = y / 0.5
    w = [z, y]  # noqa: F841
    return x * 3.0


def partly_unused_argument(x, y):
    return x * 2.0


def constant_result(x):
    return 3.5


def constant_through_zero(x):
    y = x * 0.0
    return y + 2.0


def integers_mixed_in(x):
    n = 7 // 2 + 2**3 - 7 % 4
    n += 1
    m = -n * 3
    return x * n + m / x - (n << 1) * x + (n & 3)


def integer_argument(x, n):
    return x**n + n * x + n / 2


def boolean_argument(x, flag):
    return x * x if flag else x + flag


def string_argument(x, mode):
    if mode == "square" and "qu" in mode:
        return x * x
    return x


def none_argument(x, offset=None):
    if offset is None:
        offset = x * 0.5
    return offset * x


def membership(x, n):
    y = x
    if n in (1, 2, 3) and n not in [5, 6]:
        y = y * x
    if n is not None and "a" not in {"b": 1}:
        y = y + x
    return y


def global_constants(x):
    return RATE * x**2 + SETTINGS["scale"] * x


def changes_type(x):
    y = 1
    y = y * 2
    y = y * x
    name = "y"
    name = y * y
    y = [name, x]
    y = y[0] + y[1]
    return y


def none_until_known(x):
    best = None
    for k in range(3):
        y = x * (k + 1)
        if best is None or y > best:
            best = y
    return best * best


def long_expression(x, y):
    return ((x + y) * (x - 2.0 * y) / (1.0 + x * x) + (x * y - (x / (y + 2.0)) ** 2) * (y - x / 3.0)) / (
        2.0 + y * y
    )


def polynomial_of_three(x, y, z):
    return 3.0 * x * y * z - x**2 * y + y**3 * z - z**4 + 7.0


def cancellation(x, y):
    return (x + y) ** 2 - (x - y) ** 2


def float32_scalars(x, y):
    return x * y + x * 2.0 - y / 3


def numpy_scalars(x, y):
    z = x * y
    return z * z + x


def gelu(x):
    return 0.5 * x * (1.0 + math.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


def softplus_stable(x):
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def nan_on_the_untaken_side(x):
    y = math.sqrt(x) if x > 0.0 else 0.0
    z = math.log(-x) if x < 0.0 else 1.0
    return y + z * x


PROGRAMS = [
    Program("identity", identity, 1.3),
    Program("add_subtract", add_subtract, 1.3, 0.4, wrt=(0, 1)),
    Program("four_operations", four_operations, 1.3, 0.4, wrt=(0, 1)),
    Program("divide_by_itself", divide_by_itself, 1.3),
    Program("reciprocal", reciprocal, 1.3),
    Program("unary_signs", unary_signs, 1.3),
    Program("power_integer", power_integer, -1.3),
    Program("power_of_negative_base", power_of_negative_base, 1.3),
    Program("power_negative", power_negative, 1.3),
    Program("power_fractional", power_fractional, 1.3),
    Program("power_variable", power_variable, 1.3, 0.7, wrt=(0, 1)),
    Program("power_variable_one", power_variable, 1.3, 0.7, wrt="y"),
    Program("power_of_constant", power_of_constant, 1.3),
    Program("power_right_associative", power_right_associative, 1.3),
    Program("floor_divide", floor_divide, 1.3, 0.4, wrt=(0, 1), analytic=False),
    Program("modulo", modulo, 1.3, 0.45, wrt=(0, 1), analytic=False),
    Program("modulo_negative", modulo, -1.3, -0.45, wrt=(0, 1), analytic=False),
    Program("absolute_value", absolute_value, -1.3, 0.4, wrt=(0, 1), analytic=False),
    Program("builtin_max", builtin_max, 1.3, 0.4, wrt=(0, 1)),
    Program("builtin_min", builtin_min, 1.3, 0.4, wrt=(0, 1)),
    Program("builtin_sum", builtin_sum, 1.3, 0.4, wrt=(0, 1)),
    Program("builtin_float_int", builtin_float_int, 1.3, analytic=False),
    Program("math_trigonometry", math_trigonometry, 0.6, analytic=False),
    Program("math_exponentials", math_exponentials, 0.6, analytic=False),
    Program("math_hyperbolic", math_hyperbolic, 0.6, analytic=False),
    Program("math_two_arguments", math_two_arguments, 1.3, 0.4, wrt=(0, 1), analytic=False),
    Program("math_constants", math_constants, 1.3),
    Program("math_error_function", math_error_function, 0.7, analytic=False),
    Program("numpy_on_scalars", numpy_on_scalars, 1.3, 0.4, wrt=(0, 1)),
    Program("numpy_constants", numpy_constants, 1.3),
    Program("comparisons_as_numbers", comparisons_as_numbers, 1.3, 0.4, wrt=(0, 1)),
    Program("chained_comparison", chained_comparison, 1.3, 2.4, wrt=(0, 1)),
    Program("chained_comparison_false", chained_comparison, 1.3, 0.4, wrt=(0, 1)),
    Program("chained_comparison_stops", chained_comparison_stops, 1.3),
    Program("logical_values", logical_values, 1.3, 0.4, wrt=(0, 1)),
    Program("logical_not", logical_not, 1.3),
    Program("short_circuit", short_circuit, 1.3, 0.0),
    Program("short_circuit_evaluates", short_circuit, 1.3, 0.7, wrt=(0, 1)),
    Program("short_circuit_untaken", short_circuit_untaken, 1.3, 0.0),
    Program("short_circuit_taken", short_circuit_untaken, 1.3, 0.3, wrt=(0, 1)),
    Program("conditional_expression", conditional_expression, 1.3, 0.4, wrt=(0, 1)),
    Program("conditional_expression_false", conditional_expression, 0.3, 0.4, wrt=(0, 1)),
    Program("conditional_nested", conditional_nested, 1.3),
    Program("conditional_nested_second", conditional_nested, 0.3),
    Program("conditional_nested_last", conditional_nested, 2.3),
    Program("conditional_in_operand", conditional_in_operand, 1.3, 2),
    Program("conditional_in_operand_falsy", conditional_in_operand, 1.3, 0),
    Program("augmented_assignment", augmented_assignment, 1.3, 0.4, wrt=(0, 1)),
    Program("augmented_floor_modulo", augmented_floor_modulo, 1.3, 0.4, wrt=(0, 1), analytic=False),
    Program("walrus", walrus, 1.3),
    Program("walrus_in_test", walrus_in_test, 1.3),
    Program("walrus_in_test_short", walrus_in_test, 0.3),
    Program("chained_assignment", chained_assignment, 1.3),
    Program("tuple_assignment", tuple_assignment, 1.3, 0.4, wrt=(0, 1)),
    Program("overwritten_after_use", overwritten_after_use, 1.1),
    Program("reused_name", reused_name, 1.3),
    Program("shadowed_builtins", shadowed_builtins, 1.3),
    Program("names_of_the_emitted_code", names_of_the_emitted_code, 1.3),
    Program("unused_results", unused_results, 1.3),
    Program("partly_unused_argument", partly_unused_argument, 1.3, 0.4, wrt=(0, 1)),
    Program("constant_result", constant_result, 1.3),
    Program("constant_through_zero", constant_through_zero, 1.3),
    Program("integers_mixed_in", integers_mixed_in, 1.3),
    Program("integer_argument", integer_argument, 1.3, 3),
    Program("boolean_argument", boolean_argument, 1.3, True),
    Program("boolean_argument_false", boolean_argument, 1.3, False),
    Program("string_argument", string_argument, 1.3, "square"),
    Program("none_argument", none_argument, 1.3),
    Program("none_argument_given", none_argument, 1.3, 0.4, wrt=(0, "offset")),
    Program("membership", membership, 1.3, 2),
    Program("global_constants", global_constants, 1.3),
    Program("changes_type", changes_type, 1.3),
    Program("none_until_known", none_until_known, 1.3),
    Program("long_expression", long_expression, 1.3, 0.4, wrt=(0, 1)),
    Program("polynomial_of_three", polynomial_of_three, 1.3, 0.4, -0.8, wrt=(2, 0, 1)),
    Program("cancellation", cancellation, 1.3, 0.4, wrt=("y", "x")),
    Program("float32_scalars", float32_scalars, single(1.3), single(0.4), wrt=(0, 1)),
    Program("numpy_scalars", numpy_scalars, np.float64(1.3), 0.4, wrt=(0, 1)),
    Program("gelu", gelu, 0.7, analytic=False),
    Program("softplus_stable", softplus_stable, -0.7, analytic=False),
    Program("nan_on_the_untaken_side", nan_on_the_untaken_side, 1.3, analytic=False),
    Program("nan_on_the_other_side", nan_on_the_untaken_side, -1.3, analytic=False),
]
