"""`for` over everything that can be looped over, and what leaves or skips an iteration."""

import numpy as np

from tests.programs.table import Program, matrix, positive, single, vector


def for_range(x):
    y = x
    for _ in range(4):
        y = y * x + 0.1
    return y


def for_range_start_stop(x):
    y = 0.0
    for k in range(2, 5):
        y = y + k * x**k
    return y


def for_range_step(x):
    y = x
    for k in range(1, 10, 3):
        y = y * x + k
    return y


def for_range_negative(x):
    y = x
    for k in range(7, -2, -3):
        y = y * 0.5 * x - k
    return y


def for_range_empty(x):
    y = x * x
    for k in range(5, 2):
        y = y * k
    for k in range(0):
        y = y * 2.0
    for k in range(1, 4, -1):
        y = y * 3.0
    return y * x


def for_range_from_argument(x, n):
    y = 1.0
    for k in range(n):
        y = y + x**k / (k + 1)
    return y


def for_range_bounds_change_inside(x, n):
    y = x
    for k in range(n):
        n = n - 1
        y = y * x + n
    return y * n


def for_target_after_loop(x):
    y = x
    for k in range(4):
        y = y * x
    return y * k + k * x


def for_target_overwritten(x):
    y = x
    for k in range(4):
        k = k * 2
        y = y * 0.5 + k * x
        k = -1
    return y * k


def for_target_is_active(x):
    total = 1.0
    for y in [x, x * x, 3.0 * x]:
        y = y * y
        total = total * y
    return total * y


def for_target_shadows_argument(x, items):
    y = x * x
    for x in items:
        y = y * x
    return y + x


def for_accumulate_sum_and_product(x):
    total, product = 0.0, 1.0
    for k in range(1, 6):
        total += x / k
        product *= total
    return total + product


def for_array_elements(a):
    y = 1.0
    for v in a:
        y = y * v + v
    return y


def for_array_rows(a):
    y = 0.0
    for row in a:
        y = y + row @ row * row[0]
    return y


def for_array_inactive(x, data):
    y = x
    for v in data:
        y = y * x + v
    return y


def for_list(x, y):
    z = 1.0
    for v in [x, y, x * y]:
        z = z * v + x
    return z


def for_list_argument(items):
    y = 0.5
    for v in items:
        y = y * v + v * v
    return y


def for_tuple(x):
    y = x
    for v in (1.0, x, 3):
        y = y + v * x
    return y


def for_string(x, word):
    y = x
    for letter in word:
        if letter == "s":
            y = y * x
        else:
            y = y + 0.5 * x
    return y


def for_index(a):
    y = 0.0
    for i in range(len(a)):
        y = y + a[i] * a[i - 1] * i
    return y


def for_index_shape(a):
    y = 0.0
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            y = y + a[i, j] * (i + 1) / (j + a[i][j] ** 2 + 1.0)
    return y


def for_enumerate(a):
    y = 0.0
    for k, v in enumerate(a):
        y = y + k * v * v
    return y


def for_enumerate_start(x):
    y = 0.0
    for k, v in enumerate([x, x * x], start=3):
        y = y + v**k
    for k, v in enumerate((x, 2.0), 1):
        y = y * k + v
    return y


def for_zip(a, b):
    y = 1.0
    for u, v in zip(a, b):
        y = y * u + v
    return y


def for_zip_unequal(a, b):
    y = 1.0
    for u, v, k in zip(a, b, range(10)):
        y = y * u + v * k
    return y


def for_enumerate_zip(a, b):
    y = 0.0
    for i, (u, v) in enumerate(zip(a, b)):
        y = y + (i + 1) * u * v
    return y


def for_reversed(a):
    y = 0.3
    for v in reversed(a):
        y = y * v + 1.0
    return y


def for_reversed_range(x):
    y = x
    for k in reversed(range(1, 8, 2)):
        y = y * x + k
    return y


def for_reversed_list(x):
    y = x
    for v in reversed([x, 2.0, x * x]):
        y = y * v - x
    return y


def for_dict_items(weights):
    y = 1.0
    for name, w in weights.items():
        y = y * w + len(name)
    return y


def for_dict_keys_values(weights):
    y = 1.0
    for name in weights.keys():
        y = y * weights[name]
    for w in weights.values():
        y = y + w * w
    for name in weights:
        y = y + weights[name]
    return y


def for_dict_built_inside(x):
    y = x
    for name, v in {"a": x, "b": x * x, "c": 2.0}.items():
        y = y * v
        if name == "b":
            y = y + x
    return y


def for_unpacking(pairs):
    y = 0.0
    for a, b in pairs:
        y = y * a + b
    return y


def for_unpacking_starred(rows):
    y = 1.0
    for first, *others in rows:
        y = y * first + sum(others) * len(others)
    return y


def for_unpacking_nested(x):
    y = 0.0
    for (a, b), c in [((x, 2.0), 3.0), ((x * x, x), x)]:
        y = y + a * b * c
    return y


def nested_loops(x):
    y = 1.0
    for i in range(3):
        for j in range(2):
            y = y * x + i * j
        y = y - x
    return y


def nested_triangular(a):
    y = 0.0
    for i in range(len(a)):
        for j in range(i):
            y = y + a[i] * a[j] / (i + j)
    return y


def nested_three_deep(x):
    y = x
    for i in range(2):
        for j in range(i, 3):
            for k in range(j):
                y = y * 0.9 + x * k
            y = y * x
    return y


def loop_in_branch(x, n):
    y = x
    if n > 2:
        for _ in range(n):
            y = y * x
    else:
        for k in range(n + 1):
            y = y + k * x * x
    return y


def branch_in_loop(x):
    y = x
    for k in range(6):
        if k % 3 == 0:
            y = y * x
        elif k % 3 == 1:
            y = y + x
        else:
            t = y * y
            y = t - 0.5 * x
    return y


def branch_on_active_in_loop(x):
    y = x
    for _ in range(6):
        if y > 1.0:
            y = y * 0.4
        else:
            y = y * x + 0.3
    return y


def defined_in_loop_branch(x):
    y = x
    for k in range(4):
        if k == 1:
            kept = y * x
        if k >= 2:
            y = y + kept * k
    return y * kept


def break_in_loop(x):
    y = x
    for k in range(10):
        y = y * 1.5
        if y > 5.0:
            break
        y = y + x * k
    return y


def break_never_reached(x):
    y = x
    for _ in range(3):
        if y > 1e9:
            break
        y = y * x
    return y


def break_first(x):
    y = x
    for _ in range(3):
        y = y * x
        break
    return y


def break_before_anything(x):
    y = x * x
    for k in range(3):
        if k == 0:
            break
        y = y * x
    return y + k


def break_in_both(x):
    y = x
    for k in range(5):
        if y > 2.0:
            y = y * x
            break
        elif k == 3:
            y = y + x
            break
        y = y * 1.1
    return y


def break_several(x):
    y = x
    for k in range(8):
        y = y * 1.2
        if y > 100.0:
            break
        y = y + 0.1 * x
        if k > 3 and y > 2.0:
            y = y * x
            break
        y = y - 0.05
    return y


def continue_in_loop(x):
    y = x
    for k in range(6):
        if k % 2 == 0:
            continue
        y = y * x + k
    return y


def continue_after_work(x):
    y = x
    for k in range(6):
        y = y + 0.1 * x
        if y > 1.5:
            y = y * 0.7
            continue
        y = y * x
    return y


def continue_and_break(x):
    y = x
    for k in range(9):
        if k == 2:
            continue
        y = y * 1.1 + 0.1 * x
        if k == 4:
            continue
        if y > 4.0:
            break
        y = y + x * 0.2
    return y


def continue_in_nested_if(x):
    y = x
    for k in range(6):
        if k > 1:
            if k < 4:
                y = y + x
                continue
            y = y * 0.5
        y = y * x
    return y


def loop_else(x):
    y = x
    for _ in range(3):
        y = y * x
    else:
        y = y + x * x
    return y


def loop_else_after_break(x):
    y = x
    for _ in range(5):
        y = y * 1.5
        if y > 3.0:
            break
    else:
        y = y * 100.0
    return y * x


def loop_else_empty(x):
    y = x
    for _ in []:
        y = y * 5.0
    else:
        y = y * x
    return y


def loop_else_with_continue(x):
    y = x
    for k in range(4):
        if k == 1:
            continue
        if y > 50.0:
            break
        y = y * x + 1.0
    else:
        y = y * y
    return y


def loop_else_decides(x, limit):
    y = x
    for _ in range(4):
        y = y * x + 0.2
        if y > limit:
            z = y * 2.0
            break
    else:
        z = y * x
    return z * y


def nested_break_inner(x):
    y = x
    for i in range(4):
        for j in range(4):
            if j > i:
                break
            y = y * 0.8 + x * j
        y = y + 0.1 * i * x
    return y


def nested_break_outer(x):
    y = x
    for i in range(5):
        for j in range(3):
            y = y * 1.1 + 0.01 * j
        if y > 3.0:
            break
        y = y + x
    return y


def nested_break_both(x):
    y = x
    for i in range(5):
        for j in range(5):
            y = y * 1.1 + 0.1 * x
            if j >= i:
                break
        if y > 3.0:
            break
        y = y + 0.1
    return y


def nested_break_through_else(x):
    y = x
    for i in range(5):
        for j in range(3):
            y = y * 1.1 + 0.1 * x
            if y > 2.5:
                break
        else:
            y = y + 0.2 * x
            continue
        y = y * 2.0
        break
    return y


def nested_continue_levels(x):
    y = x
    for i in range(4):
        if i == 1:
            continue
        for j in range(4):
            if j == i:
                continue
            y = y * 0.9 + 0.1 * x * j
        y = y * x
    return y


def return_in_loop(x):
    y = x
    for _ in range(10):
        y = y * 1.5
        if y > 5.0:
            return y * x
        y = y + 0.1
    return y


def return_in_loop_not_reached(x):
    y = x
    for _ in range(3):
        if y > 1e6:
            return y * 3.0
        y = y * x
    y = y + 1.0
    return y * x


def return_in_both_in_loop(x):
    y = x
    for k in range(5):
        y = y * x
        if y > 2.0:
            return y + k
        else:
            return y - k
    return x


def return_in_nested_loops(x):
    y = x
    for i in range(4):
        for j in range(4):
            y = y * 1.1 + 0.05 * x
            if y > 3.0:
                return y * x + i * j
            y = y + 0.01
        y = y * 1.05
    return y


def return_in_loop_else(x):
    y = x
    for _ in range(3):
        y = y * x
        if y > 100.0:
            break
    else:
        return y * y
    return y


def return_from_second_loop(x):
    y = x
    for _ in range(3):
        y = y * 1.1
        if y > 50.0:
            return y
    z = y * x
    for k in range(6):
        z = z * 1.3
        if z > 4.0:
            return z * y
    return z


def return_after_nested_else(x, n):
    y = x
    for i in range(n):
        for j in range(3):
            y = y * 1.2
            if y > 6.0:
                if j == 1:
                    return y * y
                break
        else:
            y = y + x
    return y * n


def zero_trips(x, n):
    y = x * 2.0
    z = x
    for _ in range(n):
        z = y * z
        y = z
    return y * z


def swap_in_loop(x, y):
    for _ in range(5):
        x, y = y, x + 0.5 * y
    return x * y


def fibonacci_like(x):
    a, b = x, 1.0
    for _ in range(6):
        a, b = b, a * x + 0.3 * b * b
    return a + b


def rotate_three(x, y, z):
    for _ in range(4):
        x, y, z = y * z, z, x + y
    return x * y * z


def lagged_variables(x):
    older, old, new = x, x * x, 1.0
    for _ in range(5):
        older = old
        old = new
        new = 0.5 * old * older + x
    return new * old * older


def first_defined_in_loop(x):
    for k in range(4):
        if k == 0:
            y = x
        y = y * x + k
        z = y * 2.0
    return y + z


def overwritten_in_loop(x):
    y = x
    for _ in range(3):
        t = y * y
        t = t * x
        u = t + y
        t = u * t
        y = 0.1 * t + u
    return y


def running_maximum(a):
    best = a[0]
    for v in a:
        if v > best:
            best = v
    return best * best


def running_argmax(a):
    best, where = a[0], 0
    for k, v in enumerate(a):
        if v > best:
            best, where = v, k
    return best * where + a[where - 1]


def data_dependent_trips(a):
    y = 0.2
    for v in a:
        for _ in range(int(abs(v) * 4.0)):
            y = y * v + 0.3
    return y


def trips_from_carried_integer(x):
    y, n = x, 1
    for _ in range(4):
        for k in range(n):
            y = y * 0.9 + 0.1 * x * k
        n = n + 2
        if n > 5:
            n = n - 4
    return y * n


def loop_over_functions(x):
    y = x
    for f in [np.sin, np.exp, np.tanh]:
        y = f(y) * x
    return y


def carried_array(x):
    y = x
    for _ in range(4):
        y = np.sin(y) * x + 0.1
    return y.sum()


def carried_array_and_scalar(x, s):
    for k in range(4):
        x = x * s
        s = s + 0.1 * x.sum()
    return s * x[0]


def carried_rank_changes(x):
    y = x
    for k in range(3):
        if k == 1:
            y = y.sum()
        else:
            y = y * y
    return y


def carried_length_changes(x):
    y = x
    for _ in range(3):
        y = np.concatenate([y, y[:1] * 2.0])
    return (y * y).sum()


def carried_type_changes(x):
    y = 0
    for k in range(4):
        y = y + x * k
    return y


def carried_list(x):
    history = [x]
    for k in range(4):
        history = history + [history[-1] * x + history[0] * k]
    return sum(history) * history[2]


def carried_tuple(x):
    state = (x, 1.0)
    for _ in range(4):
        state = (state[1] * x, state[0] + state[1])
    return state[0] * state[1]


def carried_dict(x):
    state = {"position": x, "speed": 0.5}
    for _ in range(4):
        state = {
            "position": state["position"] + 0.1 * state["speed"],
            "speed": state["speed"] - 0.1 * state["position"] * x,
        }
    return state["position"] * state["speed"]


def carried_string_and_flag(x):
    y, name, seen = x, "", False
    for k in range(5):
        name = name + "ab"[k % 2]
        if name == "aba":
            seen = True
        if seen and name.endswith("b"):
            y = y * x
        else:
            y = y + x
    return y * len(name)


def carried_none(x):
    last = None
    y = x
    for k in range(4):
        if last is not None:
            y = y + last * x
        last = y * k if k != 1 else None
    return y


def columns_and_rows(a):
    y = 0.0
    for row in a:
        for v in row:
            y = y * 0.5 + v * v
    for column in a.T:
        y = y * column.sum()
    return y


def prefix_products(a):
    y, product = 0.0, 1.0
    for i in range(len(a)):
        product = product * a[i]
        y = y + product
    return y


def inactive_work_in_loop(x, n):
    count, label = 0, ""
    for k in range(n):
        count = count + k * k
        label = label + str(k)
        if count > 20:
            break
    return x * count + len(label) * x * x


def loop_sequence(x):
    y = x
    for _ in range(2):
        y = y * x
    for k in range(2):
        y = y + k
    z = y
    for _ in range(2):
        z = z * y
        y = y - x
    return z * y


def loop_over_slices(a):
    y = 0.0
    for i in range(0, len(a) - 1, 2):
        y = y + a[i : i + 2].prod()
    for v in a[::-2]:
        y = y * v
    return y


def loop_variable_many_uses(a):
    last = a[0]
    y = 0.0
    for v in a[1:]:
        y = y + (v - last) ** 2 * v
        last = v
    return y * last


PROGRAMS = [
    Program("for_range", for_range, 1.3),
    Program("for_range_float32", for_range, single(1.3)),
    Program("for_range_start_stop", for_range_start_stop, 1.3),
    Program("for_range_step", for_range_step, 1.3),
    Program("for_range_negative", for_range_negative, 1.3),
    Program("for_range_empty", for_range_empty, 1.3),
    Program("for_range_from_argument", for_range_from_argument, 1.3, 4),
    Program("for_range_bounds_change_inside", for_range_bounds_change_inside, 1.3, 4),
    Program("for_target_after_loop", for_target_after_loop, 1.3),
    Program("for_target_overwritten", for_target_overwritten, 1.3),
    Program("for_target_is_active", for_target_is_active, 1.3),
    Program("for_target_shadows_argument", for_target_shadows_argument, 1.3, [2.0, 0.5], wrt=(0, 1)),
    Program("for_accumulate_sum_and_product", for_accumulate_sum_and_product, 1.3),
    Program("for_array_elements", for_array_elements, vector(5)),
    Program("for_array_elements_float32", for_array_elements, single(vector(5))),
    Program("for_array_elements_empty", for_array_elements, np.zeros(0)),
    Program("for_array_rows", for_array_rows, matrix(3, 2)),
    Program("for_array_rows_transposed", for_array_rows, matrix(3, 2).T),
    Program("for_array_inactive", for_array_inactive, 1.3, vector(3)),
    Program("for_list", for_list, 1.3, 0.4, wrt=(0, 1)),
    Program("for_list_argument", for_list_argument, [1.3, 0.4, -0.7]),
    Program("for_tuple_argument", for_list_argument, (1.3, 0.4, -0.7)),
    Program("for_list_argument_empty", for_list_argument, []),
    Program("for_tuple", for_tuple, 1.3),
    Program("for_string", for_string, 1.3, "loss"),
    Program("for_index", for_index, vector(5)),
    Program("for_index_list", for_index, [1.3, 0.4, -0.7]),
    Program("for_index_shape", for_index_shape, matrix(2, 3)),
    Program("for_enumerate", for_enumerate, vector(4)),
    Program("for_enumerate_start", for_enumerate_start, 1.3),
    Program("for_zip", for_zip, vector(3), [0.2, 0.5, 1.5], wrt=(0, 1)),
    Program("for_zip_unequal", for_zip_unequal, vector(3), vector(5, 2), wrt=(0, 1)),
    Program("for_enumerate_zip", for_enumerate_zip, vector(3), (1.0, 0.3), wrt=(0, 1)),
    Program("for_reversed", for_reversed, vector(4)),
    Program("for_reversed_tuple", for_reversed, (1.3, 0.4)),
    Program("for_reversed_range", for_reversed_range, 1.3),
    Program("for_reversed_list", for_reversed_list, 1.3),
    Program("for_dict_items", for_dict_items, {"w": 1.3, "bias": 0.4}),
    Program("for_dict_keys_values", for_dict_keys_values, {"w": 1.3, "bias": 0.4}),
    Program("for_dict_built_inside", for_dict_built_inside, 1.3),
    Program("for_unpacking", for_unpacking, [(1.3, 0.4), (0.2, 0.9)]),
    Program("for_unpacking_matrix", for_unpacking, matrix(3, 2)),
    Program("for_unpacking_starred", for_unpacking_starred, [[1.3, 0.4, 0.7], [0.2], [0.1, 0.9]]),
    Program("for_unpacking_nested", for_unpacking_nested, 1.3),
    Program("nested_loops", nested_loops, 1.3),
    Program("nested_triangular", nested_triangular, vector(5)),
    Program("nested_three_deep", nested_three_deep, 1.1),
    Program("loop_in_branch", loop_in_branch, 1.3, 4),
    Program("loop_in_other_branch", loop_in_branch, 1.3, 2),
    Program("branch_in_loop", branch_in_loop, 1.1),
    Program("branch_on_active_in_loop", branch_on_active_in_loop, 1.3),
    Program("defined_in_loop_branch", defined_in_loop_branch, 1.3),
    Program("break_in_loop", break_in_loop, 1.3),
    Program("break_never_reached", break_never_reached, 1.3),
    Program("break_first", break_first, 1.3),
    Program("break_before_anything", break_before_anything, 1.3),
    Program("break_in_both", break_in_both, 1.3),
    Program("break_in_both_other", break_in_both, 2.3),
    Program("break_several", break_several, 1.3),
    Program("continue_in_loop", continue_in_loop, 1.3),
    Program("continue_after_work", continue_after_work, 1.3),
    Program("continue_and_break", continue_and_break, 1.3),
    Program("continue_in_nested_if", continue_in_nested_if, 1.1),
    Program("loop_else", loop_else, 1.3),
    Program("loop_else_after_break", loop_else_after_break, 1.3),
    Program("loop_else_empty", loop_else_empty, 1.3),
    Program("loop_else_with_continue", loop_else_with_continue, 1.3),
    Program("loop_else_decides", loop_else_decides, 1.3, 2.0),
    Program("loop_else_decides_else", loop_else_decides, 1.3, 2000.0),
    Program("nested_break_inner", nested_break_inner, 1.3),
    Program("nested_break_outer", nested_break_outer, 1.3),
    Program("nested_break_both", nested_break_both, 1.3),
    Program("nested_break_through_else", nested_break_through_else, 1.1),
    Program("nested_continue_levels", nested_continue_levels, 1.3),
    Program("return_in_loop", return_in_loop, 1.3),
    Program("return_in_loop_not_reached", return_in_loop_not_reached, 1.3),
    Program("return_in_both_in_loop", return_in_both_in_loop, 1.3),
    Program("return_in_nested_loops", return_in_nested_loops, 1.3),
    Program("return_in_nested_loops_not", return_in_nested_loops, 0.1),
    Program("return_in_loop_else", return_in_loop_else, 1.3),
    Program("return_from_second_loop", return_from_second_loop, 1.3),
    Program("return_after_nested_else", return_after_nested_else, 1.3, 4),
    Program("return_after_nested_else_not", return_after_nested_else, 0.3, 2),
    Program("zero_trips", zero_trips, 1.3, 0),
    Program("zero_trips_not", zero_trips, 1.1, 3),
    Program("swap_in_loop", swap_in_loop, 1.3, 0.4, wrt=(0, 1)),
    Program("fibonacci_like", fibonacci_like, 0.8),
    Program("rotate_three", rotate_three, 1.3, 0.4, 0.7, wrt=(0, 1, 2)),
    Program("lagged_variables", lagged_variables, 0.8),
    Program("first_defined_in_loop", first_defined_in_loop, 1.3),
    Program("overwritten_in_loop", overwritten_in_loop, 0.8),
    Program("running_maximum", running_maximum, vector(6)),
    Program("running_argmax", running_argmax, vector(6)),
    Program("data_dependent_trips", data_dependent_trips, vector(4), analytic=False),
    Program("trips_from_carried_integer", trips_from_carried_integer, 1.3),
    Program("loop_over_functions", loop_over_functions, 0.8),
    Program("carried_array", carried_array, vector(3)),
    Program("carried_array_float32", carried_array, single(vector(3))),
    Program("carried_array_matrix", carried_array, matrix(2, 3)),
    Program("carried_array_and_scalar", carried_array_and_scalar, vector(3), 0.7, wrt=(0, 1)),
    Program("carried_rank_changes", carried_rank_changes, vector(3)),
    Program("carried_length_changes", carried_length_changes, vector(3)),
    Program("carried_type_changes", carried_type_changes, 1.3),
    Program("carried_list", carried_list, 1.3),
    Program("carried_tuple", carried_tuple, 1.3),
    Program("carried_dict", carried_dict, 1.3),
    Program("carried_string_and_flag", carried_string_and_flag, 1.3),
    Program("carried_none", carried_none, 1.3),
    Program("columns_and_rows", columns_and_rows, matrix(2, 3)),
    Program("prefix_products", prefix_products, positive(5)),
    Program("inactive_work_in_loop", inactive_work_in_loop, 1.3, 6),
    Program("loop_sequence", loop_sequence, 1.3),
    Program("loop_over_slices", loop_over_slices, vector(6)),
    Program("loop_variable_many_uses", loop_variable_many_uses, vector(5)),
]
