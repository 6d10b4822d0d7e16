"""Lists, tuples and dicts: built, indexed, unpacked, comprehended, passed in."""

import numpy as np

from tests.programs.table import Program, matrix, single, vector


def list_built(x, y):
    items = [x, y, x * y, 2.0]
    return items[0] * items[2] + items[-1] * items[1]


def list_slices(x):
    items = [x, x * x, x**3, 4.0]
    middle = items[1:3]
    return sum(items[::2]) * middle[0] + items[-2:][0] * len(items[:0] + middle)


def list_same_twice(x):
    pair = [x, x]
    copies = [pair, pair]
    return pair[0] * pair[1] * copies[0][0] + copies[1][1]


def list_concatenated(x, y):
    items = [x] + [y, x * y] + []
    items = items + [items[0] * 2.0]
    return sum(items) * items[3]


def list_repeated(x):
    items = [x, 0.5] * 3
    return sum(items) * items[4]


def list_starred(x, y):
    items = [x, y]
    longer = [*items, x * y, *items]
    pair = (*items[:1], 2.0)
    return sum(longer) * longer[2] * pair[0]


def list_of_lists(x):
    table = [[x, 1.0], [2.0, x * x]]
    return table[0][0] * table[1][1] + table[1][0] * x


def list_of_arrays(a, b):
    arrays = [a, b, a * b]
    y = arrays[0]
    for other in arrays[1:]:
        y = y * other + arrays[0]
    return y.sum()


def list_len_in(x, n):
    items = [x, x * x]
    y = items[0] * len(items)
    if n in [1, 2]:
        y = y * items[1]
    return y


def list_min_max(items):
    return max(items) * 2.0 + min(items) * sum(items)


def list_argument(items):
    return items[0] * items[1] + items[-1] ** 2


def list_argument_partly_used(items):
    return items[1] * 3.0


def tuple_built(x, y):
    pair = x, y
    single = (x * y,)
    empty = ()
    return pair[0] * pair[1] + single[0] * len(empty + pair)


def tuple_argument(pair, s):
    a, b = pair
    return a * b * s


def tuple_concatenated(x):
    t = (x,) + (x * x, 2.0)
    t = t + t[:1]
    return t[1] * t[3] + t[0]


def dict_built(x, y):
    d = {"a": x, "b": x * y, 3: 2.0}
    return d["a"] * d["b"] + d[3] * y


def dict_key_chosen(x, name):
    d = {"a": x * x, "b": x + 1.0}
    return d[name] * d["ab"[1]]


def dict_merged(x):
    d = {"a": x, "b": 2.0}
    e = {**d, "b": x * x, "c": d["b"]}
    return e["a"] * e["b"] + e["c"] * x


def dict_get_len_in(x):
    d = {"a": x, "b": x * x}
    y = d.get("a") * len(d)
    if "b" in d and "z" not in d:
        y = y * d["b"]
    return y


def dict_argument(params, x):
    return np.tanh(params["w"] * x + params["b"]).sum()


def dict_nested_argument(params):
    hidden = params["layers"][0]["w"] * params["scale"]
    return hidden.sum() + (params["layers"][1]["w"] ** 2).sum() * params["layers"][1]["b"]


def nested_argument(tree):
    (a, b), extra = tree["pair"], tree["extra"]
    return (a * b).sum() + extra[0] * a[0]


def mixed_leaves(tree, s):
    return tree["x"] * tree["n"] * s + tree["array"].sum()


def unpack(x):
    a, b, c = [x, x * x, 2.0]
    [d, e] = (a * b, c)
    return a * b * c + d * e


def unpack_array(a):
    x, y, z = a
    return x * y + z * z


def unpack_matrix(m):
    (a, b), second = m
    return a * b + second @ second


def unpack_starred(items):
    first, *middle, last = items
    *start, end = items
    return first * last + sum(middle) * len(middle) + start[1] * end


def unpack_starred_array(a):
    first, *others = a
    return first * sum(others) + others[-1] ** 2


def unpack_starred_empty(x, y):
    a, *none, b = (x, y)
    return a * b + len(none) * x


def unpack_nested(x, y):
    a, (b, (c, *d)), e = x, (y, (x * y, x, y)), 2.0
    return a * b * c + d[0] * d[1] * e


def unpack_into_used_names(x, y):
    items = [x, y]
    x, items = items
    y, x = x, items * y
    return x * y


def swap(x, y):
    x, y = y, x * y
    x, y = y, x
    return x + 2.0 * y


def comprehension(x):
    powers = [x**k for k in range(4)]
    return sum(powers) * powers[2]


def comprehension_over_argument(items):
    return sum([v * v for v in items]) + sum([2.0 * v for v in items[1:]])


def comprehension_condition(items):
    kept = [v * v for v in items if v > 0.0 if v < 2.0]
    return sum(kept) * len(kept)


def comprehension_empty(x):
    nothing = [v * x for v in [] if v]
    return x * x + sum(nothing)


def comprehension_two_loops(x, y):
    products = [u * v for u in [x, y] for v in (x, 2.0, y) if u != v]
    return sum(products) * products[1]


def comprehension_nested(x):
    table = [[x**i * j for j in range(1, 3)] for i in range(3)]
    return sum([sum(row) for row in table]) * table[2][1]


def comprehension_dependent_loops(x):
    return sum([x**i * j for i in range(4) for j in range(i)])


def comprehension_zip_enumerate(a, b):
    y = sum([u * v for u, v in zip(a, b)])
    return y * sum([k * v for k, v in enumerate(a)]) + sum([v for v in reversed(b)])


def comprehension_captures(x, y):
    scale = x * y
    scaled = [scale * v for v in [x, y]]
    scale = 0.5
    return sum(scaled) * scale


def comprehension_own_scope(x):
    v = x * 3.0
    squares = [v * v for v in [x, 2.0]]
    return v * sum(squares)


def comprehension_conditional_value(items):
    return sum([v * v if v > 0.0 else -v for v in items])


def comprehension_walrus(items):
    kept = [w for v in items if (w := v * v) > 0.2]
    return sum(kept) * w


def comprehension_of_arrays(a):
    rows = [np.tanh(row) * k for k, row in enumerate(a)]
    return sum([row.sum() for row in rows]) + np.stack(rows).mean()


def comprehension_dict(x):
    powers = {k: x**k for k in range(1, 4)}
    doubled = {name: 2.0 * v for name, v in {"a": x, "b": x * x}.items() if name != "c"}
    return powers[2] * powers[3] + doubled["a"] * doubled["b"]


def comprehension_dict_over_argument(params):
    squared = {name: (w * w).sum() for name, w in params.items()}
    return squared["w"] * squared["b"]


def comprehension_of_tuples(x):
    pairs = [(x * k, k) for k in range(3)]
    return sum([a * b for a, b in pairs])


def comprehension_in_loop(x):
    items = [x, 0.5, 2.0]
    for k in range(3):
        items = [v * x + k for v in items]
    return sum(items)


def stack_of_results(x):
    results = []
    y = x
    for k in range(4):
        y = y * x + k
        results = results + [y]
    return results[0] * results[-1] + sum(results)


def matrix_of_lists(x):
    m = [[x, 1.0], [0.5, x * x]]
    n = [[sum([m[i][k] * m[k][j] for k in range(2)]) for j in range(2)] for i in range(2)]
    return n[0][0] * n[1][1] - n[0][1] * n[1][0]


def gram_schmidt(vectors):
    basis = []
    for v in vectors:
        w = v
        for b in basis:
            w = w - (b @ v) * b
        basis = basis + [w / np.sqrt(w @ w)]
    return basis[0][0] * basis[1][1] + basis[2] @ vectors[0] + basis[-1].sum()


def container_of_results(x, flag):
    result = {"value": x * x, "parts": [x, (2.0 * x, "label")]}
    if flag:
        result = {"value": result["value"] * 2.0, "parts": result["parts"][::-1]}
    value, parts = result["value"], result["parts"]
    return value * parts[1] if flag else value * parts[0] + parts[1][0]


def array_from_scalars(x, y):
    a = np.array([x, y, x * y, 2.0])
    return (a * a).sum() + a[2]


def array_from_nested_lists(x, y):
    m = np.array([[x, 1.0], [y, x * y]])
    return (m @ m).sum()


def array_from_comprehension(x):
    return np.prod(np.array([x + k for k in range(3)]))


def stack_of_scalars(x, y):
    return np.stack([x, y, x * y]).sum() + np.concatenate([np.array([x]), np.array([y, y])]).prod()


def list_equality_and_none(x, items):
    y = x
    if items == [1, 2]:
        y = y * x
    if items is not None and items[0] != 2:
        y = y + x
    return y


PROGRAMS = [
    Program("list_built", list_built, 1.3, 0.4, wrt=(0, 1)),
    Program("list_slices", list_slices, 1.3),
    Program("list_same_twice", list_same_twice, 1.3),
    Program("list_concatenated", list_concatenated, 1.3, 0.4, wrt=(0, 1)),
    Program("list_repeated", list_repeated, 1.3),
    Program("list_starred", list_starred, 1.3, 0.4, wrt=(0, 1)),
    Program("list_of_lists", list_of_lists, 1.3),
    Program("list_of_arrays", list_of_arrays, vector(3), vector(3, 2), wrt=(0, 1)),
    Program("list_of_arrays_float32", list_of_arrays, single(vector(3)), single(vector(3, 2)), wrt=(0, 1)),
    Program("list_len_in", list_len_in, 1.3, 2),
    Program("list_min_max", list_min_max, [1.3, 0.4, -0.7]),
    Program("list_argument", list_argument, [1.3, 0.4, -0.7]),
    Program("list_argument_one_element", list_argument_partly_used, [1.3, 0.4, -0.7]),
    Program("list_argument_float32", list_argument, [single(1.3), single(0.4)]),
    Program("list_argument_of_arrays", list_argument_partly_used, [vector(2), 0.5]),
    Program("tuple_built", tuple_built, 1.3, 0.4, wrt=(0, 1)),
    Program("tuple_argument", tuple_argument, (1.3, 0.4), 0.7, wrt=("s", "pair")),
    Program("tuple_concatenated", tuple_concatenated, 1.3),
    Program("dict_built", dict_built, 1.3, 0.4, wrt=(0, 1)),
    Program("dict_key_chosen", dict_key_chosen, 1.3, "a"),
    Program("dict_merged", dict_merged, 1.3),
    Program("dict_get_len_in", dict_get_len_in, 1.3),
    Program("dict_argument", dict_argument, {"w": vector(3), "b": 0.3}, vector(3, 2), wrt=(0, 1)),
    Program("dict_argument_float32", dict_argument, {"w": single(vector(3)), "b": single(0.3)}, single(0.7)),
    Program(
        "dict_nested_argument",
        dict_nested_argument,
        {"layers": [{"w": vector(3), "b": 0.1}, {"w": matrix(2, 2), "b": 0.2}], "scale": 1.3},
    ),
    Program("nested_argument", nested_argument, {"pair": (vector(2), vector(2, 2)), "extra": [0.5, 0.1]}),
    Program("mixed_leaves", mixed_leaves, {"x": 1.3, "n": 3, "array": np.arange(3)}, 0.4, wrt=(0, 1)),
    Program("unpack", unpack, 1.3),
    Program("unpack_array", unpack_array, vector(3)),
    Program("unpack_matrix", unpack_matrix, matrix(2, 2)),
    Program("unpack_starred", unpack_starred, [1.3, 0.4, -0.7, 0.2]),
    Program("unpack_starred_array", unpack_starred_array, vector(4)),
    Program("unpack_starred_empty", unpack_starred_empty, 1.3, 0.4, wrt=(0, 1)),
    Program("unpack_nested", unpack_nested, 1.3, 0.4, wrt=(0, 1)),
    Program("unpack_into_used_names", unpack_into_used_names, 1.3, 0.4, wrt=(0, 1)),
    Program("swap", swap, 1.3, 0.4, wrt=(0, 1)),
    Program("comprehension", comprehension, 1.3),
    Program("comprehension_over_argument", comprehension_over_argument, [1.3, 0.4, -0.7]),
    Program("comprehension_over_array", comprehension_over_argument, vector(4)),
    Program("comprehension_condition", comprehension_condition, [1.3, 0.4, -0.7]),
    Program("comprehension_empty", comprehension_empty, 1.3),
    Program("comprehension_two_loops", comprehension_two_loops, 1.3, 0.4, wrt=(0, 1)),
    Program("comprehension_nested", comprehension_nested, 1.3),
    Program("comprehension_dependent_loops", comprehension_dependent_loops, 1.3),
    Program("comprehension_zip_enumerate", comprehension_zip_enumerate, vector(3), [1.0, 0.3], wrt=(0, 1)),
    Program("comprehension_captures", comprehension_captures, 1.3, 0.4, wrt=(0, 1)),
    Program("comprehension_own_scope", comprehension_own_scope, 1.3),
    Program("comprehension_conditional_value", comprehension_conditional_value, [1.3, 0.4, -0.7]),
    Program("comprehension_walrus", comprehension_walrus, [1.3, 0.4, -0.7]),
    Program("comprehension_of_arrays", comprehension_of_arrays, matrix(3, 2)),
    Program("comprehension_dict", comprehension_dict, 1.3),
    Program(
        "comprehension_dict_over_argument", comprehension_dict_over_argument, {"w": vector(3), "b": vector(2)}
    ),
    Program("comprehension_of_tuples", comprehension_of_tuples, 1.3),
    Program("comprehension_in_loop", comprehension_in_loop, 1.3),
    Program("stack_of_results", stack_of_results, 1.3),
    Program("matrix_of_lists", matrix_of_lists, 1.3),
    Program("gram_schmidt", gram_schmidt, [vector(3), vector(3, 2), vector(3, 4)]),
    Program("gram_schmidt_rows", gram_schmidt, matrix(3, 3)),
    Program("container_of_results", container_of_results, 1.3, False),
    Program("container_of_results_other", container_of_results, 1.3, True),
    Program("array_from_scalars", array_from_scalars, 1.3, 0.4, wrt=(0, 1)),
    Program("array_from_nested_lists", array_from_nested_lists, 1.3, 0.4, wrt=(0, 1)),
    Program("array_from_comprehension", array_from_comprehension, 1.3),
    Program("stack_of_scalars", stack_of_scalars, 1.3, 0.4, wrt=(0, 1)),
    Program("list_equality_and_none", list_equality_and_none, 1.3, [1, 2]),
]
