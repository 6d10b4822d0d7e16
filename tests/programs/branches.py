"""`if` in every form, and what leaves a function early."""

import math

import numpy as np

from tests.programs.table import Program, vector


def if_only(x):
    y = x * 2.0
    if x > 1.0:
        y = y * x
    return y


def if_else(x, y):
    if x > y:
        z = x * y
    else:
        z = x / y
    return z * x


def if_elif_else(x):
    if x < 0.0:
        y = -x
    elif x < 1.0:
        y = x * x
    elif x < 2.0:
        y = x**3
    else:
        y = math.log(x)
    return y * x


def if_nested(x, y):
    z = x
    if x > 0.0:
        if y > 0.0:
            z = x * y
        else:
            z = x - y
        z = z * z
    elif y > 0.0:
        z = y * 3.0
    return z + x


def if_without_effect(x):
    if x > 0.0:
        pass
    else:
        x * 3.0
    return x * x


def if_on_the_result_of_if(x):
    y = x
    if x > 1.0:
        y = 0.5 * x * x
    if y > 0.7:
        y = y * x
    if y > 100.0:
        y = 0.0
    return y


def overwritten_in_branch(x):
    y = x * x
    z = y * y
    if z > 1.0:
        y = z * x
        z = y + z
        y = y * z
    return y * z


def defined_in_one_branch(x):
    if x > 0.0:
        inside = x * x
    y = x * 2.0
    if x > 0.0:
        y = y * inside
    return y


def defined_in_each_branch(x, flag):
    if flag:
        a = x * x
        b = a * 2.0
    else:
        b = x + 1.0
        c = b * x
        b = b * c
    return b * x


def types_differ_between_branches(x, flag):
    if flag:
        y = [x, x * x]
        y = y[0] * y[1]
    else:
        y = 3
    return y * x


def container_or_number(x, flag):
    if flag:
        y = (x, x * 3.0)
    else:
        y = None
    if y is None:
        return x
    return y[0] * y[1]


def stored_condition(x):
    big = x > 1.0
    if big:
        x = x * 0.1
        big = x > 1.0
    if not big:
        x = x * x
    return x


def condition_overwritten_inside(x):
    if x > 1.0:
        x = x - 1.0
        if x > 1.0:
            x = x * 10.0
        else:
            x = x * x
    return x * 2.0


def swap_in_branch(x, y):
    if x > y:
        x, y = y, x
    return x * x * y


def truthiness(x, items, name, array):
    y = x
    if items:
        y = y * x
    if not name:
        y = y + x
    if array.size:
        y = y * 2.0
    if len(items) > 1 and array.ndim == 1:
        y = y * x
    return y


def array_condition(x):
    if x.sum() > 0.0:
        return (x * x).sum()
    if np.any(x > 0.5) and np.all(x < 2.0):
        return (x**3).sum()
    return x.mean()


def branches_on_arrays(x, y):
    if x[0] > y[0]:
        z = x * y
    else:
        z = x - y
    if (z > 0.0).any():
        z = z * z
    return z.sum()


def return_in_if(x):
    if x > 1.0:
        return x * x
    return x + 1.0


def return_in_both(x):
    if x > 1.0:
        y = x * 2.0
        return y * y
    else:
        y = x * 3.0
        return y + x


def return_in_chain(x):
    if x < 0.0:
        return x
    if x < 1.0:
        return x * x
    y = x * 2.0
    if y < 3.0:
        return y * x
    elif y < 4.0:
        return y + x
    return y**3


def return_nested(x, y):
    z = x * y
    if x > 0.0:
        if y > 0.0:
            if z > 0.1:
                return z * x
            z = z + x
        else:
            return z - y
        z = z * z
    else:
        z = z * 3.0
        if z > -100.0:
            return z * y
    return z * x + y


def return_from_else(x):
    y = x * x
    if y > 2.0:
        y = y * x
    else:
        return y
    y = y + x
    return y * y


def return_container_element(x):
    pair = (x, x * x)
    if x > 1.0:
        return pair[1]
    return pair[0]


def return_argument_or_constant(x, y):
    if y > 1.0:
        return x
    if y > 0.0:
        return 2.0
    return y


def code_after_return(x):
    return x * x
    x = x * 3.0
    return x


def nan_in_the_untaken_branch(x, y):
    if y > 0.0:
        z = math.sqrt(y) * x
    else:
        z = x * x + y
    return z


def conditional_calls_in_branches(x, y):
    big, small = (x, y) if x > y else (y, x)
    return big * big / small


def elif_with_walrus(x):
    if (y := x * x) > 5.0:
        z = y
    elif (w := y + 1.0) > 2.0:
        z = w * y
    else:
        z = w
    return z * x


PROGRAMS = [
    Program("if_only", if_only, 1.3),
    Program("if_only_untaken", if_only, 0.3),
    Program("if_else", if_else, 1.3, 0.4, wrt=(0, 1)),
    Program("if_else_other", if_else, 0.3, 0.4, wrt=(0, 1)),
    Program("if_elif_else_first", if_elif_else, -0.5, analytic=False),
    Program("if_elif_else_second", if_elif_else, 0.5, analytic=False),
    Program("if_elif_else_third", if_elif_else, 1.5, analytic=False),
    Program("if_elif_else_last", if_elif_else, 2.5, analytic=False),
    Program("if_nested", if_nested, 1.3, 0.4, wrt=(0, 1)),
    Program("if_nested_else", if_nested, 1.3, -0.4, wrt=(0, 1)),
    Program("if_nested_elif", if_nested, -1.3, 0.4, wrt=(0, 1)),
    Program("if_without_effect", if_without_effect, 1.3),
    Program("if_on_the_result_of_if", if_on_the_result_of_if, 1.3),
    Program("overwritten_in_branch", overwritten_in_branch, 1.3),
    Program("defined_in_one_branch", defined_in_one_branch, 1.3),
    Program("defined_in_one_branch_untaken", defined_in_one_branch, -1.3),
    Program("defined_in_each_branch", defined_in_each_branch, 1.3, True),
    Program("defined_in_each_branch_other", defined_in_each_branch, 1.3, False),
    Program("types_differ_between_branches", types_differ_between_branches, 1.3, True),
    Program("types_differ_other_branch", types_differ_between_branches, 1.3, False),
    Program("container_or_number", container_or_number, 1.3, True),
    Program("container_or_none", container_or_number, 1.3, False),
    Program("stored_condition", stored_condition, 1.3),
    Program("condition_overwritten_inside", condition_overwritten_inside, 1.3),
    Program("swap_in_branch", swap_in_branch, 1.3, 0.4, wrt=(0, 1)),
    Program("truthiness", truthiness, 1.3, [1, 2], "", vector(3)),
    Program("truthiness_empty", truthiness, 1.3, [], "name", np.zeros(0)),
    Program("array_condition", array_condition, np.abs(vector(4))),
    Program("array_condition_second", array_condition, np.array([0.7, -1.0, -0.2])),
    Program("branches_on_arrays", branches_on_arrays, vector(4), vector(4, 2), wrt=(0, 1)),
    Program("return_in_if", return_in_if, 1.3),
    Program("return_in_if_untaken", return_in_if, 0.3),
    Program("return_in_both", return_in_both, 1.3),
    Program("return_in_both_other", return_in_both, 0.3),
    Program("return_in_chain_second", return_in_chain, 0.6),
    Program("return_in_chain_third", return_in_chain, 1.3),
    Program("return_in_chain_last", return_in_chain, 2.3),
    Program("return_nested", return_nested, 1.3, 0.4, wrt=(0, 1)),
    Program("return_nested_falls_through", return_nested, 0.3, 0.2, wrt=(0, 1)),
    Program("return_nested_else", return_nested, -1.3, 0.4, wrt=(0, 1)),
    Program("return_from_else", return_from_else, 0.9),
    Program("return_from_else_not", return_from_else, 1.9),
    Program("return_container_element", return_container_element, 1.3),
    Program("return_argument", return_argument_or_constant, 1.3, 1.4, wrt=(0, 1)),
    Program("return_constant", return_argument_or_constant, 1.3, 0.4, wrt=(0, 1)),
    Program("code_after_return", code_after_return, 1.3),
    Program("nan_in_the_untaken_branch", nan_in_the_untaken_branch, 1.3, -0.4, wrt=(0, 1), analytic=False),
    Program("conditional_calls_in_branches", conditional_calls_in_branches, 1.3, 0.4, wrt=(0, 1)),
    Program("elif_with_walrus", elif_with_walrus, 1.3),
    Program("elif_with_walrus_else", elif_with_walrus, 0.3),
]
