"""`while`: trip counts that nobody knows before, and tests that compute."""

import math

import numpy as np

from tests.programs.table import Program, matrix, single, vector


def while_countdown(x, n):
    y = 1.0
    while n > 0:
        y = y * x + n
        n = n - 1
    return y


def while_on_active_value(x):
    y = x
    while y < 10.0:
        y = y * 1.7 + 0.1 * x
    return y


def while_halving(x):
    y, count = x, 0
    while y > 0.1:
        y = y / 2.0
        count += 1
    return y * count


def while_zero_trips(x):
    y = x * x
    while y < 0.0:
        y = y + x
    return y * x


def while_compound_condition(x):
    y, k = x, 0
    while y < 50.0 and k < 5 or y < 0.5:
        y = y * x + k
        k += 1
    return y * k


def while_not(x):
    y, done = x, False
    while not done:
        y = y * 1.3
        done = y > 4.0
    return y


def while_test_computes(x):
    y = x
    while (z := y * y) < 20.0:
        y = y + 0.1 * z + x
    return y * z


def while_test_value_used_inside(x):
    y, k = x, 0
    while (z := y * x + 0.1 * k) < 6.0:
        y = y + z
        k = k + 1
    return y + z


def while_test_calls(x):
    y = x
    while distance(y, x) < 3.0:
        y = y * 1.4
    return y


def distance(a, b):
    return math.sqrt((a - b) * (a - b))


def while_true_break(x):
    y = x
    while True:
        y = y * 1.5
        if y > 7.0:
            break
        y = y + 0.1 * x
    return y


def while_true_return(x):
    y = x
    while True:
        y = y * 1.5
        if y > 7.0:
            return y * x
        y = y + 0.1 * x


def while_one(x):
    k = 0
    while 1:
        x = x * 0.9
        k += 1
        if k == 3:
            break
    return x * k


def while_else(x):
    y = x
    while y < 5.0:
        y = y * 1.5
    else:
        y = y * x
    return y


def while_else_after_break(x):
    y = x
    while y < 5.0:
        y = y * 1.5
        if y > 3.0:
            break
    else:
        y = y * 100.0
    return y + x


def while_continue(x):
    y, k = x, 0
    while k < 6:
        k += 1
        if k % 2:
            continue
        y = y * x
    return y


def while_continue_break_return(x):
    y, k = x, 0
    while k < 20:
        k += 1
        y = y * 1.05
        if k == 3:
            continue
        if y > 30.0:
            break
        y = y + 0.3 * x
        if k > 8:
            return y * y
    return y


def nested_whiles(x):
    y, i = x, 0
    while i < 3:
        j = 0
        while j < i + 1:
            y = y * 0.9 + 0.2 * x
            j += 1
        i += 1
    return y


def nested_whiles_break(x):
    y, i = x, 0
    while True:
        j = 0
        while True:
            y = y * 1.05 + 0.02 * x
            j += 1
            if j > i:
                break
        i += 1
        if y > 2.0 or i > 10:
            break
    return y * i


def while_in_for_in_while(x):
    y, k = x, 0
    while k < 2:
        for i in range(3):
            n = i
            while n > 0:
                y = y * 0.9 + 0.1 * x
                n -= 1
                if y > 100.0:
                    break
            y = y + 0.05 * i
        k += 1
    return y


def while_over_list(x):
    waiting, y = [x, x * x, 2.0], 1.0
    while waiting:
        first, *waiting = waiting
        y = y * first + x
    return y


def while_array(x):
    y, k = x, 0
    while np.abs(y).max() < 5.0 and k < 20:
        y = y * 1.3 + 0.1 * x
        k += 1
    return (y * y).sum()


def while_swaps(x, y):
    k = 0
    while k < 4:
        x, y = y, 0.5 * x + 0.3 * y * y
        k += 1
    return x * y


def newton_square_root(a):
    x = a
    while abs(x * x - a) > 1e-12:
        x = 0.5 * (x + a / x)
    return x


def newton_with_break(a, b):
    x = 1.0
    for _ in range(50):
        step = (x**3 + a * x - b) / (3.0 * x * x + a)
        x = x - step
        if abs(step) < 1e-13:
            break
    return x


def fixed_point(w, x):
    z = np.zeros(3)
    for _ in range(200):
        new = np.tanh(0.3 * w @ z + x)
        if np.max(np.abs(new - z)) < 1e-15:
            z = new
            break
        z = new
    return (z * z).sum()


def bisection(a):
    low, high = 0.0, 2.0
    for _ in range(5):
        middle = 0.5 * (low + high)
        if middle * middle < a:
            low = middle
        else:
            high = middle
    return a * low + high


def power_by_squaring(m, n):
    result = np.eye(2)
    while n > 0:
        if n % 2 == 1:
            result = result @ m
        m = m @ m
        n = n // 2
    return result.sum()


def scalar_power_by_squaring(x, n):
    y = 1.0
    while n:
        if n & 1:
            y *= x
        x *= x
        n >>= 1
    return y


def greatest_common_divisor(x, a, b):
    y = x
    while b:
        a, b = b, a % b
        y = y * x + 0.1 * b
    return y * a


def collatz(x, n):
    y, steps = x, 0
    while n != 1:
        if n % 2 == 0:
            n = n // 2
            y = y * 0.9
        else:
            n = 3 * n + 1
            y = y + 0.1 * x
        steps += 1
    return y * steps


def backtracking_line_search(x):
    step = 1.0
    slope = 4.0 * x**3
    while (x - step * slope) ** 4 > x**4 - 0.5 * step * slope * slope:
        step = step * 0.5
    return (x - step * slope) ** 2


def adaptive_step_ode(rate, y):
    t, h = 0.0, 0.4
    rejected = 0
    while t < 1.0:
        if t + h > 1.0:
            h = 1.0 - t
        k1 = -rate * y
        k2 = -rate * (y + h * k1)
        error = abs(0.5 * h * (k2 - k1))
        if error > 0.02:
            h = h * 0.5
            rejected += 1
            continue
        y = y + 0.5 * h * (k1 + k2)
        t = t + h
        if error < 0.002:
            h = h * 2.0
    return y + 0.0 * rejected


def arithmetic_geometric_mean(a, b):
    while abs(a - b) > 1e-13:
        a, b = 0.5 * (a + b), math.sqrt(a * b)
    return a


def series_until_small(x):
    term, total, k = 1.0, 1.0, 1
    while term > 1e-14:
        term = term * x / k
        total += term
        k += 1
    return total


def while_with_negative_counter(x):
    k = -3
    y = 0.0
    while k < 0:
        y = y * k + x / k
        k += 1
    return y


def while_string(x, word):
    y = x
    while word:
        y = y * x if word[0] == "a" else y + x
        word = word[1:]
    return y


PROGRAMS = [
    Program("while_countdown", while_countdown, 1.3, 4),
    Program("while_on_active_value", while_on_active_value, 1.3),
    Program("while_on_active_float32", while_on_active_value, single(1.3)),
    Program("while_halving", while_halving, 1.3),
    Program("while_zero_trips", while_zero_trips, 1.3),
    Program("while_compound_condition", while_compound_condition, 1.3),
    Program("while_not", while_not, 1.3),
    Program("while_test_computes", while_test_computes, 1.3),
    Program("while_test_computes_once", while_test_computes, 5.3),
    Program("while_test_value_used_inside", while_test_value_used_inside, 1.3),
    Program("while_test_calls", while_test_calls, 1.3, analytic=False),
    Program("while_true_break", while_true_break, 1.3),
    Program("while_true_return", while_true_return, 1.3),
    Program("while_one", while_one, 1.3),
    Program("while_else", while_else, 1.3),
    Program("while_else_after_break", while_else_after_break, 1.3),
    Program("while_continue", while_continue, 1.3),
    Program("while_continue_break_return", while_continue_break_return, 1.3),
    Program("nested_whiles", nested_whiles, 1.3),
    Program("nested_whiles_break", nested_whiles_break, 1.3),
    Program("while_in_for_in_while", while_in_for_in_while, 1.3),
    Program("while_over_list", while_over_list, 1.3),
    Program("while_array", while_array, vector(3), analytic=False),
    Program("while_swaps", while_swaps, 1.3, 0.4, wrt=(0, 1)),
    Program("newton_square_root", newton_square_root, 2.3, analytic=False),
    Program("newton_with_break", newton_with_break, 1.3, 2.4, wrt=(0, 1), analytic=False),
    Program("fixed_point", fixed_point, matrix(3, 3), vector(3, 2), wrt=(0, 1), analytic=False),
    Program("bisection", bisection, 1.3),
    Program("power_by_squaring", power_by_squaring, matrix(2, 2), 11),
    Program("power_by_squaring_float32", power_by_squaring, single(matrix(2, 2)), 6),
    Program("scalar_power_by_squaring", scalar_power_by_squaring, 1.3, 13),
    Program("greatest_common_divisor", greatest_common_divisor, 1.3, 48, 18),
    Program("collatz", collatz, 1.3, 6),
    Program("backtracking_line_search", backtracking_line_search, 1.3),
    Program("adaptive_step_ode", adaptive_step_ode, 1.7, 1.2, wrt=(0, 1), analytic=False),
    Program("arithmetic_geometric_mean", arithmetic_geometric_mean, 1.3, 0.4, wrt=(0, 1), analytic=False),
    Program("series_until_small", series_until_small, 1.3),
    Program("while_with_negative_counter", while_with_negative_counter, 1.3),
    Program("while_string", while_string, 1.3, "abca"),
]
