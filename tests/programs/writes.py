"""Writes in place that were refused once: the smallest of each kind."""

import collections
import operator

import numpy as np

from tests.programs.table import Program

V = np.array([0.5, -0.2, 0.9])
W = np.array([1.5, -2.0, 0.5])


class WritesWhenMade:
    def __init__(self, b):
        b[0] = 7.0


def stores_element(x):
    y = np.zeros(3)
    y[1] = x
    return y.sum()


def stores_into_argument(x):
    x[0] = 2.0
    return x.sum()


def stores_slice(x):
    y = np.zeros(3)
    y[1:] = x[:2]
    return y.sum()


def adds_into_element(x):
    y = np.zeros(3)
    y[0] += x.sum()
    return y.sum()


def augments_argument_array(x):
    x += 1.0
    return x.sum()


def augments_local_array(x):
    y = x * 2.0
    y *= x
    return y.sum()


def augments_list(x):
    items = [x]
    items += [x * x]
    return items[1]


def stores_list_item(x):
    items = [x, x]
    items[0] = x * x
    return items[0] * items[1]


def appends(x):
    items = []
    for k in range(3):
        items.append(x * k)
    return sum(items)


def extends(x):
    items = [x]
    items.extend([x, x])
    return sum(items)


def pops(items):
    return items.pop() * 2.0


def sorts_in_place(items):
    items.sort()
    return items[0]


def stores_dict_item(x):
    table = {}
    table["a"] = x
    return table["a"]


def updates_dict(x):
    table = {"a": x}
    table.update({"a": x * x})
    return table["a"]


def unpacks_into_elements(x):
    y = [0.0, 0.0]
    y[0], y[1] = x, x * x
    return y[0]


def loops_into_element(x):
    y = [0.0]
    for y[0] in [x, x * x]:
        pass
    return y[0]


def writes_out(x):
    y = np.empty(3)
    np.multiply(x, x, out=y)
    return y.sum()


def adds_at(x):
    y = np.zeros(3)
    np.add.at(y, [0, 0, 1], x)
    return y.sum()


def fills(x):
    y = np.zeros(3)
    y.fill(x)
    return y.sum()


def sorts_array_in_place(x):
    y = x * 1.0
    y.sort()
    return y[0]


def copies_to(x):
    y = np.zeros(3)
    np.copyto(y, x)
    return y.sum()


def constructor_writes(x, b):
    y = (x * b).sum()
    WritesWhenMade(b)
    return y + (x * b).sum()


def append_in_comprehension(x, items):
    y = x[0] * items[0]
    [items.append(v) for v in [1.0, 2.0]]
    return y + x[0] * items[-1]


def unbound_setitem(x, a):
    b = a * 1.0
    y = (x * b).sum()
    np.ndarray.__setitem__(b, 0, 5.0)
    return y + (x * b).sum()


def operator_augmented(x, a):
    b = a * 1.0
    y = (x * b).sum()
    operator.ifloordiv(b, 2.0)
    return y + (x * b).sum()


def operator_concatenated(x, items):
    y = x[0] * len(items)
    operator.iconcat(items, [2.0])
    return y * len(items)


def floor_into_itself(x):
    y = x * 3.0
    z = y * y
    np.floor(y, y)
    return z.sum() + y.sum()


def sign_into_itself(x):
    y = x * 3.0
    z = y * y
    np.sign(y, y)
    return z.sum() + y.sum()


def add_into_itself(x, a):
    y = (x * a).sum()
    np.add(a, 1.0, a)
    return y + (x * a).sum()


def round_into_itself(x, a):
    y = (x * a).sum()
    np.round(a, 0, a)
    return y + (x * a).sum()


def clip_into_itself(x, a):
    y = (x * a).sum()
    np.clip(a, 0.0, 1.0, a)
    return y + (x * a).sum()


def sum_into(x, a):
    o = np.zeros(())
    y = (x * o).sum()
    np.sum(a, 0, None, o)
    return y + (x * o).sum()


def dot_into(x, a):
    o = np.zeros(())
    y = (x * o).sum()
    np.dot(a, a, o)
    return y + (x * o).sum()


def cumsum_into_itself(x, a):
    y = (x * a).sum()
    np.cumsum(a, 0, None, a)
    return y + (x * a).sum()


def augments_a_deque(x):
    z = collections.deque([1.0])
    z += [2.0]
    return z[1] * x


PROGRAMS = [
    Program("stores_element", stores_element, 1.3, analytic=False, writes_arguments=True),
    Program("stores_into_argument", stores_into_argument, V, analytic=False, writes_arguments=True),
    Program("stores_slice", stores_slice, V, analytic=False, writes_arguments=True),
    Program("adds_into_element", adds_into_element, V, analytic=False, writes_arguments=True),
    Program("augments_argument_array", augments_argument_array, V, analytic=False, writes_arguments=True),
    Program("augments_local_array", augments_local_array, V, analytic=False, writes_arguments=True),
    Program("augments_list", augments_list, 1.3, analytic=False, writes_arguments=True),
    Program("stores_list_item", stores_list_item, 1.3, analytic=False, writes_arguments=True),
    Program("appends", appends, 1.3, analytic=False, writes_arguments=True),
    Program("extends", extends, 1.3, analytic=False, writes_arguments=True),
    Program("pops", pops, [1.3, 0.4], analytic=False, writes_arguments=True),
    Program("sorts_in_place", sorts_in_place, [1.3, 0.4], analytic=False, writes_arguments=True),
    Program("stores_dict_item", stores_dict_item, 1.3, analytic=False, writes_arguments=True),
    Program("updates_dict", updates_dict, 1.3, analytic=False, writes_arguments=True),
    Program("unpacks_into_elements", unpacks_into_elements, 1.3, analytic=False, writes_arguments=True),
    Program("loops_into_element", loops_into_element, 1.3, analytic=False, writes_arguments=True),
    Program("writes_out", writes_out, V, analytic=False, writes_arguments=True),
    Program("adds_at", adds_at, V, analytic=False, writes_arguments=True),
    Program("fills", fills, 1.3, analytic=False, writes_arguments=True),
    Program("sorts_array_in_place", sorts_array_in_place, V, analytic=False, writes_arguments=True),
    Program("copies_to", copies_to, V, analytic=False, writes_arguments=True),
    Program("constructor_writes", constructor_writes, V, W, analytic=False, writes_arguments=True),
    Program(
        "append_in_comprehension", append_in_comprehension, V, [1.0], analytic=False, writes_arguments=True
    ),
    Program("unbound_setitem", unbound_setitem, V, W, analytic=False, writes_arguments=True),
    Program("operator_augmented", operator_augmented, V, W, analytic=False, writes_arguments=True),
    Program("operator_concatenated", operator_concatenated, V, [1.0], analytic=False, writes_arguments=True),
    Program("floor_into_itself", floor_into_itself, V, analytic=False, writes_arguments=True),
    Program("sign_into_itself", sign_into_itself, V, analytic=False, writes_arguments=True),
    Program("add_into_itself", add_into_itself, V, W, analytic=False, writes_arguments=True),
    Program("round_into_itself", round_into_itself, V, W, analytic=False, writes_arguments=True),
    Program("clip_into_itself", clip_into_itself, V, W, analytic=False, writes_arguments=True),
    Program("sum_into", sum_into, V, W, analytic=False, writes_arguments=True),
    Program("dot_into", dot_into, V, W, analytic=False, writes_arguments=True),
    Program("cumsum_into_itself", cumsum_into_itself, V, W, analytic=False, writes_arguments=True),
    Program("augments_a_deque", augments_a_deque, 1.3, analytic=False, writes_arguments=True),
]
