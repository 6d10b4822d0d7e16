"""Programs that were once wrong or refused: one row per bug found, grouped by its cause."""

import enum
import functools
import math

import numpy as np

from myia import grad
from tests.programs.table import Program, array, matrix, positive, single, vector

X3, Y3 = vector(3), positive(3, seed=2)
GRID = np.arange(6.0) / 3.0 + 0.2


# -- the result is one of several operands: an integer that may win is not the type ----------------


def rectified(x):
    return max(0, x) * x


def rectified_other_way(x):
    return max(x, 0) * x


def largest_with_one(x):
    return max(1, x) * x


def smallest_with_one(x):
    return min(1, x) * x


def largest_with_integers(x, n):
    return max(n, x) * x + max(n, x, 0) * min(x, n + 9)


def largest_in_list(x):
    return max([0, x]) * x + sorted([5, x, 1])[1] * x


def largest_in_loop(x):
    y = 0
    for k in range(4):
        y = max(y, x * k - 1)
    return y * x


def conditional_integer(x, n):
    y = x if n > 1 else 0
    z = n if n > 5 else x * x
    return y * z


def either_operand(x, n):
    return (0 or x) * x + (n and x) * x + (x or n)


def maximum_with_integer(x):
    return (np.maximum(0, x) * x).sum() + (np.where(x > 0.0, x, 1) * x).sum() + np.clip(x, 0, 1).sum()


def integer_until_added(x, n):
    y = 0
    if n > 2:
        y = y + x
    return y * x + x


# -- a name updated from itself, where the old value is read ----------------------------------------


def square_in_loop(x):
    for _ in range(2):
        x = x * x
    return x


def product_in_loop(x):
    y = x
    for _ in range(3):
        y = y * x
    return y * y


def negated_in_loop(x):
    y = x
    for k in range(3):
        y = -y
        x = x + y * y * k
    return x * y


def logistic_in_loop(x):
    for _ in range(4):
        x = x - x * x
    return x


def square_in_nested_loops(x):
    y = 1.0
    for _ in range(2):
        for _ in range(2):
            y = y * x
            x = x * x
    return y + x


def square_in_branch(x):
    y = x
    for k in range(5):
        if k % 2 == 0:
            x = x * x
        else:
            y = y * x
            x = -x
    return x + y


def squared_before_and_after(x):
    total = x
    for k in range(3):
        total = total + x * k
        x = x * x
        total = total * x
    return total


def updates_cross(x, y):
    for _ in range(3):
        x = x * y
        y = y * x - y
        x = -x
    return x + y


def square_then_read_old(x):
    old = x
    for k in range(3):
        new = old * x
        x = x * new
        old = new * old
        if k == 1:
            old = old * old
    return x * old


def square_until_large(x):
    while x < 50.0:
        x = x * x
        x = x + x
    return x


def divides_itself(x, y):
    for _ in range(3):
        y = x / y
        y = y / (y + x)
    return y


def power_of_itself(x):
    for _ in range(2):
        x = x**2
        x = x**x
    return x


def sine_of_itself(x):
    for _ in range(3):
        x = math.sin(x) * x
    return x


def augmented_by_itself(x):
    y = x
    for _ in range(3):
        y *= y
        y -= y * x
        y += y
    return y


def array_squared_in_loop(x):
    for _ in range(3):
        x = x * x
        x = x - x * x[0]
    return x.sum()


def matrix_squared_in_loop(m):
    for _ in range(3):
        m = m @ m
    return m.sum()


def item_squared_in_loop(items):
    s = 0.0
    for v in items:
        for _ in range(2):
            v = v * v
        s = s * v + v
    return s


def square_in_callee(x):
    y = squared_often(x, 2)
    for _ in range(2):
        y = squared_often(y * x, 1)
    return y


def squared_often(v, n):
    for _ in range(n):
        v = v * v
    return v


def swaps_with_itself(x, y):
    for _ in range(3):
        x, y = x * y, x * x
    return x * y


# -- `T = f(T)`: the call needs the old value, its record comes with the new ------------------------


def half_square(t):
    return t * t * 0.5


def blended(t, c):
    return t * c + np.sin(t)


def product_and_row(t):
    a, b = t
    return (a * b, a[1] * b)


def products_of_list(t):
    return [t[0] * t[1], t[0] + t[1] * t[1] * 0.2]


STAGES = [half_square, lambda v: np.sin(v) * v]


def call_replaces_its_argument(x):
    t, s = x, 0.0
    for k in range(3):
        s = s + t[0] * t[k]
        t = half_square(t)
    return s + t.sum()


def call_replaces_then_read(x):
    t, s = x, 0.0
    for k in range(3):
        t = half_square(t)
        s = s + t[0] * t[k]
    return s + t.sum()


def call_replaces_in_nested_loops(x):
    t, s = x, 0.0
    for k in range(3):
        for _ in range(2):
            s = s + t[0] * t[k]
            t = blended(t, s)
        t = half_square(t)
    return s + t.sum()


def call_replaces_tuple(x):
    t, s = (x, x[0]), 0.0
    for _ in range(3):
        s = s + t[0].sum() * t[1]
        t = product_and_row(t)
    return s


def chosen_call_replaces(x):
    t, s = x, 0.0
    for k in range(4):
        s = s + t[0] * t[k % 3]
        t = STAGES[k % 2](t)
    return s + t.sum()


def call_replaces_in_branch(x):
    t, s = x, 0.0
    for k in range(4):
        if k % 2:
            s = s + t[0] * t[k % 3]
            t = STAGES[k % 2](t)
        else:
            t = half_square(t)
    return s + t.sum()


def call_replaces_list(x):
    t, s = x, 0.0
    for _ in range(4):
        s = s + t[0] * t[1]
        t = products_of_list(t)
    return t[0] + s


def call_replaces_dict(x):
    t, s = {"a": x, "b": x * x}, 0.0
    for _ in range(3):
        s = s + t["a"] * t["b"]
        t = stepped(t)
    return s + t["a"]


def stepped(t):
    return {"a": t["a"] * t["b"], "b": t["b"] + 0.1 * t["a"]}


# -- order of evaluation ----------------------------------------------------------------------------


def walrus_in_if_test(x):
    y = x
    if y < (y := y * 2.0):
        y = y * x
    return y


def walrus_in_elif_test(x):
    y = x
    if y > (y := y * 2.0):
        y = y * 100.0
    elif y < (y := y * y) or (y := y + x) < 0.0:
        y = y * x
    return y


def walrus_in_while_test(x):
    y, n = x, 0
    while y < (y := y * 1.5) and y < 9.0:
        n = n + 1
    return y * n * x


def walrus_in_iterable(x):
    y, s = x, 0.0
    for v in [y, (y := y * 2.0), y]:
        s = s + v * y
    return s


def walrus_in_conditional(x):
    y = x
    z = y if y < (y := y * 3.0) else y * 100.0
    return z * y


def walrus_in_assert(x):
    y = x
    assert y < (y := y * 2.0), y
    return y * x


def walrus_in_chained_comparison(x):
    y = x
    return (y < (y := y * 2.0) < (y := y * 3.0)) * y


def walrus_in_chained_conditional(x):
    y = x
    return y * 2.0 if 0.0 < (y := y * 2.0) < (y := y * 3.0) else y


def walrus_in_chained_while(x):
    y = x
    while y < (y := y * 2.0) < (y := y * 1.5) < 40.0:
        y = y + x
    return y


def walrus_in_starred_dict(x, k):
    return {**{(k := k + 1): x}, (k := k + 1): x * k}[k] * k


def walrus_in_dict_keys(x, k):
    table = {(k := k + 1): x * k, (k := k + 1): x * k}
    return table[k] * table[k - 1]


def walrus_in_slice(x):
    i, items = 0, [x, x * x, 3.0]
    part = items[i : (i := i + 2)]
    return part[0] * part[1] * items[i] * items[(i := i - 1)] * items[i]


def walrus_in_keyword_argument(x):
    y = 2
    return powered(c=(y := y + 1), a=x * y, b=x * y)


def powered(a, b, c):
    return a * b**c


def walrus_in_augmented(x):
    y = x
    y += (y := y * 2.0) * y
    return y


def target_rebound_in_iterable(x):
    y = x
    for y in [y, y * y, (y := 3.0), y]:
        x = x * y
    return x + y


def dict_rebound_in_items_loop(x):
    table, s = {"a": x, "b": 2.0 * x}, 0.0
    for k, v in table.items():
        s = s + v * len(k)
        table = {"a": 10.0, "b": 20.0}
    return s * x + table["a"]


def dict_rebound_in_values_loop(x):
    table, s = {"a": x, "b": 2.0 * x}, 0.0
    for v in table.values():
        s = s * x + v
        table = {"a": x * x, "b": 20.0}
    return s + table["a"]


def dict_rebound_in_keys_loop(x):
    table, s = {"a": x, "b": 2.0 * x, "c": 3.0}, 0.0
    for k in table:
        s = s * x + table[k]
        table = {"a": 10.0, "b": table["b"] * x, "c": x}
    return s


def dict_argument_rebound_in_its_loop(table):
    s = 0.0
    for _, v in table.items():
        s = s * v + v
        table = {"a": v * v}
    return s * table["a"]


def start_rebound_in_enumerate_loop(x, n):
    s = 0.0
    for i, v in enumerate([x, x * x, 2.0], n):
        s = s + i * v
        n = n + 5
    return s * n


def list_rebound_in_its_loop(x):
    items, s = [x, 2.0 * x], 0.0
    for v in items:
        items = [v, s, 3.0]
        s = s + v * v
    return s + items[0] * items[1]


def range_bound_in_its_loop(x, n):
    for k in range(0, n, n - 1):
        n = 2
        x = x * (k + n)
    return x


# -- None is a value, unused is a zero of the right kind --------------------------------------------


def none_on_the_first_turn(x):
    for i in range(3):
        if i == 0:
            best = None
        best = x * 2.0 if best is None else best * x
    return best


def none_or_number_in_branches(x):
    for i in range(4):
        if i == 0:
            best = None
        if best is None:
            best = x * 2.0
        elif i == 2:
            kept, best = best, None
        else:
            best = best * x
    return best * kept


def none_kept_in_tuple(x):
    state = (None, x)
    for _ in range(3):
        last, now = state
        state = (now, now * x if last is None else last * now)
    return state[1]


def none_passed_to_callee(x):
    return doubled_unless(x, None) * doubled_unless(x, 3.0)


def doubled_unless(x, factor):
    if factor is None:
        factor = 2.0
    return x * factor


def second(_, y):
    return y * 2.0


def unused_list_of_callee(x):
    items = [x * k for k in range(3)]
    return second(items, x)


def unused_dict_of_callee(x):
    items = {k: x * k for k in range(3)}
    return second(items, x) + items[2] * x


def unused_array_of_callee(x):
    items = np.concatenate([x, x])
    return second(items, x).sum()


def unused_tuple_of_callee_in_loop(x):
    y = x
    for _ in range(3):
        y = second((y, [y]), y * x)
    return y


def unused_by_chosen_callee(x, n):
    items = [x, x * x]
    return [second, lambda i, y: i[0] * y][n](items, x)


def unused_argument_of_lambda(x):
    pair = (x, x * x)
    return (lambda p, v: v * v)(pair, x) + pair[1]


# -- nested functions, their captures and defaults --------------------------------------------------


def applied(g, x):
    return g(x)


def capture_rebound_before_direct_call(x):
    a = x
    g = lambda t: a * t  # noqa: E731
    a = x * x
    return g(x) * a


def nested_one_name_in_loop(x):
    y = x
    for k in range(3):

        def g(t):
            return t * x + k  # noqa: B023

        y = g(y)
    return y


def lambdas_rebound_in_sequence(x):
    g = lambda t: t * x  # noqa: E731
    y = g(x)
    g = lambda t: t + x  # noqa: E731
    return y * g(x)


def default_of_the_same_name_inside(x, y):
    def outer(t, u=x):
        return t * u + (lambda t, u=y: t * u)(t)

    return outer(y)


def default_of_the_same_name_beside(x, y):
    def first(t, u=x):
        return t * u

    def other(t, u=y):
        return t + u * first(t)

    return other(x)


# -- functions of objects ---------------------------------------------------------------------------


class Model:
    def __init__(self, weight=2.0):
        self.weight = weight
        self.__hidden = 3.0

    def act(self, x):
        return x

    @staticmethod
    def scaled(x, k=2.0):
        return x * k

    @classmethod
    def doubled(cls, x):
        return cls.scaled(x, 2.0)

    def private(self, x):
        __local = x * self.__hidden
        return self.__cubed(__local) * __local

    def __cubed(self, x):
        return x * x * x


MODEL = Model()
CHANGED = Model()
CHANGED.act = lambda x: x**3


class Negatable:
    def __neg__(self):
        return 3.0

    def __len__(self):
        return 4


NEGATABLE = Negatable()


def inactive_operator_of_object(x):
    return -NEGATABLE * x * len(NEGATABLE)


def function_in_instance(x):
    return CHANGED.act(x) * MODEL.act(x)


def static_method_of_instance(x):
    return MODEL.scaled(x) + MODEL.scaled(x, 3.0) * MODEL.doubled(x)


def private_method(x):
    return MODEL.private(x)


def asks_for_its_class(x, m):
    return x * 2.0 if isinstance(m, Model) else x


def asks_for_array_or_class(x, m):
    return x * x if isinstance(m, (np.ndarray, Model)) and callable(len) else x


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 3


def integer_enumeration(x, level):
    y = x * level
    if level == Level.HIGH:
        y = y * x
    return y + x**Level.HIGH


@functools.lru_cache(maxsize=None)
def cached_constant(n):
    return 1.0 if n < 2 else cached_constant(n - 1) * 1.5


def cached_inactive(x):
    return x * cached_constant(5) * x


# -- lists, tuples and dictionaries -----------------------------------------------------------------


def list_of_unknown_type_repeated(x):
    y = []
    for k in range(3):
        y = y + [x * k]
    z = y * 2
    return z[1] * z[5]


def tuple_of_unknown_type_repeated(x):
    y = ()
    y += (x,)
    z = y * 2
    return z[0] * z[1]


def tuple_repeated(x):
    y = (x,)
    z = 2 * (y * 2)
    return z[0] * z[1] * z[3]


def arrays_repeated(x):
    z = [x] * 3
    return (z[0] * z[1]).sum() + np.stack(z).sum() + sum(z).sum()


def dict_union_argument(d):
    e = d | {"c": d["a"]}
    return e["c"] * e["b"]


def dict_union_overrides(d):
    e = d | {"a": d["b"] * d["b"]}
    return e["a"] * e["b"]


def dict_union_in_loop(d):
    for _ in range(3):
        d = d | {"a": d["a"] * d["b"]}
    return d["a"]


def bits_of_integers(x, n):
    return x * (n | 4) + x * (n & 3) + x * (n ^ 1)


def argument_replaced_by_dict_of_other_keys(t):
    t = {"c": t["a"] * t["b"]}
    return t["c"] * 2.0


def argument_replaced_by_list_in_its_loop(items):
    for v in items:
        items = [v * v]
    return items[0]


def argument_replaced_by_dict_in_its_loop(items):
    s = 0.0
    for v in items:
        items = {"a": v * v}
        s = s * v + items["a"]
    return s


def dict_grown_in_loop(x):
    d = {"a": x}
    for k in range(3):
        d = {**d, k: d["a"] * k, "a": d["a"] * x}
    return sum(d.values())


def dict_updated_over_its_keys(x):
    d = {"a": x, "b": 2.0}
    for k in list(d):
        d = {**d, k: d[k] * d["a"]}
    return d["a"] * d["b"]


def list_rebuilt_from_itself(x):
    a = [x, x]
    for _ in range(3):
        a = [a[1] * a[0], a[0]]
        a = a[::-1] + a[:1]
    return sum(a)


def dict_comprehension_of_products(params, b):
    scaled = {k: params[k] * b for k in params}
    return scaled["a"] * scaled["b"]


def dict_of_keywords(x):
    d = dict(p=x, q=x * x)  # noqa: C408
    return d["p"] * d["q"]


def key_with_quotes(d):
    return d['a"""b'] * 2.0 * d["c\\"]


def sum_of_empty_list(x, n):
    s = sum([x * k for k in range(n)])
    if isinstance(s, int):
        return x * 5.0
    return s * x


def sum_of_empty_argument(x, items):
    s = sum(items)
    if isinstance(s, int):
        return x * 5.0
    return s * x


def item_is_an_integer(x, n):
    y = n.item()
    if isinstance(y, int):
        return x * y * 2.0
    return x


# -- arrays whose shape is not known ----------------------------------------------------------------


def reshaped_by_list(x, w):
    return (x.reshape([2, 3]) @ w).sum()


def reshaped_by_list_of_unknown(x, w, shape):
    return (x.reshape(shape) @ w).sum()


def tiled_by_list(x):
    return (np.tile(x, [2, 1]) @ x).sum()


def broadcast_by_list(x):
    return (np.broadcast_to(x, [2, 3]) @ x).sum()


def full_by_list(x):
    return (np.full([2, 3], x[0]) @ x).sum() + (np.zeros([2, 3]) @ x).sum()


def transposed_by_list(m):
    return (np.transpose(m, [1, 0]) @ m).sum()


def contracted_over(a, b, k):
    y = np.tensordot(a, b, k)
    return (y * y).sum()


def method_of_element(x):
    items = []
    for k in range(2):
        items = items + [x * (k + 1)]
    v = items[1]
    return v[0, 0].item() * v[1, 1].sum() * x[0, 1]


def methods_of_chosen_values(x, flag):
    v = x if flag else x[0, 0]
    return (v.reshape(-1) * v.flatten() * v.copy().astype(float).transpose().reshape(-1)).sum()


def zero_dimensional_in_loop(x):
    y = x
    for _ in range(5):
        y = y * 1.1 + x
    return y


def output_is_none(x, y):
    return np.add(x, y, out=None).sum() * x.sum(out=None) + np.sum(x * y, None, None)


# -- infinity times nothing -------------------------------------------------------------------------


def infinite_and_not_taken(x, n):
    t = x * 1e308 * 1e10
    u = t * x
    return u if n > 0 else x * x


def infinite_and_not_used(x, n):
    c, y = x, x
    for _ in range(8):
        c = c * c * 1e100
        y = y * x
    return y if n > 0 else c


def infinite_and_not_chosen(x, n):
    t = x * 1e308 * 1e10
    return [x * x, t * x][n]


def infinite_for_one_element(x):
    s = 0.0
    for v in x:
        t = v * 1e308 * 1e10
        s = s + (t * v if v < 0.0 else v * v)
    return s


# The same zero where the operand is a container or an array: its adjoint has the operand's shape.


def sums_without_influence(a):
    first, second = sum([v * 2.0 for v in a]), sum(a)
    return [first, second][1]


def items_without_influence(items):
    y = max(items) * 0.0 + sum(items) * 0.0 + items[0] * 0.0 + float(items[1]) * 0.0
    return y + min(*items) * 0.0 + sorted(items)[0] * 0.0


def dict_without_influence(d):
    return sum(d.values()) * 0.0 + max(d.values()) * 0.0 + d["a"] * 0.0


def reductions_without_influence(a):
    first, second, third = a
    values = [np.linalg.norm(a), np.outer(a, a).sum(), max(a), sorted(a)[0], first * second * third]
    return values[0] * 0.0 + 0.0 * values[4] + (a @ a) * 0.0 + a.mean() * 0.0 + np.max(a) * 0.0


def call_without_influence(x):
    y = half_square(x).sum() * 0.0
    for _ in range(2):
        y = y + (half_square(x) * y).sum() + products_of_list([x, x])[0].sum() * 0.0
    return y


# -- names ------------------------------------------------------------------------------------------


def takes_default(x, k=np.arange(3.0)):  # noqa: B008
    return (x * k).sum()


def local_named_default(x):
    default = 5.0
    return takes_default(x) * default


def local_named_like_a_forward(x):
    half_square_forward = 2.0
    half_square_record = 3.0
    return half_square(x) * half_square_forward + half_square_record


def names_beside(x):
    return x * x


def names_beside_forward(x):
    return x + 1.0


def names_beside_grad(x):
    return x * 3.0


def globals_named_like_emitted(x):
    return names_beside(x) * names_beside_forward(x) * names_beside_grad(x)


def globals_named_like_its_own(x):
    return globals_named_like_its_own_forward(x) * globals_named_like_its_own_grad(x)


def globals_named_like_its_own_forward(x):
    return x + 1.0


def globals_named_like_its_own_grad(x):
    return x * 3.0


def local_named_like_module_globals(x):
    regressions_globals = x * 2.0
    MODEL_cell = 3.0
    return regressions_globals * MODEL_cell * MODEL.act(x)


def _with_free_variable():
    q = 2.0

    def local_named_like_a_cell(x):
        q_cell = x * q
        return q_cell * q * x

    return local_named_like_a_cell


def locals_named_like_builtins(x):
    len, zip, range_, type, isinstance = 4, 2.0, 3.0, 5.0, 6.0  # noqa: A001
    y = []
    for k in range(3):
        y = y + [x * k]
    return y[2] * len * zip * range_ * type * isinstance


def constants_that_are_builtins(x, shape):
    return x * 2.0 if shape is Ellipsis or shape is NotImplemented else x * x


# -- recursion --------------------------------------------------------------------------------------


def factorial_power(x, n):
    return x if n == 0 else x * factorial_power(x, n - 1)


def wrapped_ever_deeper(x):
    return unwrapped(wrapped(x, 12), 12) ** 2


def wrapped(x, n):
    return x if n == 0 else wrapped((x,), n - 1)


def unwrapped(x, n):
    return x if n == 0 else unwrapped(x[0], n - 1)


def list_ever_deeper(x):
    return deeper(x, []) * x


def deeper(x, items):
    return deeper(x, [items]) if len(str(items)) < 50 else x


# -- flat functions, and others ---------------------------------------------------------------------


def steps_of_numpy(x, c):
    return x * np.heaviside(x, c) + x * math.copysign(2.0, x)


def copied_sign_of_active(x):
    return math.copysign(2.0, x) * x


def constants_folded(x):
    y = x
    for _ in range(3):
        y = y * (1 / 3) + x * (-5 / 72) + 2**-1 * y
    return y


def formats_in_order(x):
    width = 3
    text = f"{(width := width + 4)}{1.5:{width}}"
    return x * len(text) * x


def function_that_raises(x):
    return x * x if x > 0.0 else not_reached(x)


def not_reached(x):
    raise NotImplementedError(x)


def result_of_nested_definition(x):
    def g(v):
        if v > 0.0:
            return v * v
        return v

    return g(x) + g(x + 1.0)


@grad
def slope(x):
    return x * x


def gradient_of_the_inactive(x, c):
    return x * slope(c)


def product_of(x, y):
    return x * y


def name_of_three_uses(b, c, n):
    e = np.tanh(c)
    s = e.sum()
    e = b
    if n == 0:
        e = product_of(e, c)
    return (c * e).sum() + (b * b).sum() + s


def halved_and_squared(w, n):
    for _epoch in range(3):
        for _k in range(n):
            w = w * 0.5
        if w.real > 100.0:
            break
        for _k in range(n):
            w = w * w
    return w


def arrays_halved_and_squared(w, n):
    for _epoch in range(3):
        for _k in range(n):
            half = w * 0.5
            w = half * half
        if w[0].real > 100.0:
            break
        for _k in range(n):
            w = w * w
    return w.sum()


def shape_by_position(w, x):
    z = np.zeros_like(x, None, "K", True, (1,)) + w
    return (z * x).sum() + (z @ z)


def filled_by_position(w, x):
    z = np.full_like(x, w[0], None, "K", True, (1,))
    return (z * x).sum() + (z @ z)


# -- where a cotangent takes the memory of its primal value, which may be wanted elsewhere -------------------


def product_of_two_names(w, v, x):
    h = np.maximum(x @ w, 0.0)
    k = h
    return np.sum((h @ v) * 2.0) + np.sum(k[0] * 3.0)


def products_kept_in_a_list(w, v, x):
    kept = []
    for _ in range(3):
        h = np.tanh(x @ w)
        kept.append(h)
        x = h @ v
    return np.sum(kept[0] * kept[2]) + np.sum(x)


def products_left_in_the_middle(w, v, x):
    for _ in range(4):
        h = np.maximum(x @ w, 0.0)
        x = h @ v
        if np.sum(x) > 0.05:
            break
    return np.sum(x * x) + np.sum(h[:, 0])


def product_with_one_row(w, v, x):
    h = np.tanh(x @ w)
    for _ in range(3):
        h = np.tanh(h * h[0])
        x = h @ v + x[:1]
        h = x @ w
    return np.sum(x)


def product_seen_transposed(w, v, x):
    h = np.tanh(x @ w)
    t = h.T
    y = h @ v
    return np.sum(y * y) + np.sum(t @ x)


def products_in_a_branch(w, v, x):
    for k in range(4):
        if k % 2:
            h = np.tanh(x @ w)
            x = h @ v
        else:
            x = np.sin(x)
    return np.sum(x * x)


PRODUCTS = tuple(np.random.default_rng(0).normal(size=shape) * 0.3 for shape in ((4, 6), (6, 4), (5, 4)))


PROGRAMS = [
    Program("rectified", rectified, 1.3),
    Program("rectified_below", rectified, -0.7),
    Program("rectified_float32", rectified, single(1.3)),
    Program("rectified_other_way", rectified_other_way, 1.3),
    Program("largest_with_one", largest_with_one, 1.5),
    Program("largest_with_one_below", largest_with_one, 0.5),
    Program("smallest_with_one", smallest_with_one, 0.5),
    Program("smallest_with_one_above", smallest_with_one, 1.5),
    Program("largest_with_integers", largest_with_integers, 1.5, 1),
    Program("largest_with_integers_above", largest_with_integers, 1.5, 2),
    Program("largest_in_list", largest_in_list, 1.3),
    Program("largest_in_loop", largest_in_loop, 1.3),
    Program("conditional_integer", conditional_integer, 1.3, 2),
    Program("conditional_integer_wins", conditional_integer, 1.3, 6),
    Program("either_operand", either_operand, 1.3, 2),
    Program("maximum_with_integer", maximum_with_integer, X3, analytic=False),
    Program("integer_until_added", integer_until_added, 1.3, 3),
    Program("integer_never_added", integer_until_added, 1.3, 1),
    Program("square_in_loop", square_in_loop, 1.3),
    Program("product_in_loop", product_in_loop, 1.3),
    Program("negated_in_loop", negated_in_loop, 1.3),
    Program("logistic_in_loop", logistic_in_loop, 0.4),
    Program("square_in_nested_loops", square_in_nested_loops, 1.1),
    Program("square_in_branch", square_in_branch, 0.9),
    Program("squared_before_and_after", squared_before_and_after, 0.9),
    Program("updates_cross", updates_cross, 0.9, 1.2, wrt=(0, 1)),
    Program("square_then_read_old", square_then_read_old, 0.9),
    Program("square_until_large", square_until_large, 1.3),
    Program("divides_itself", divides_itself, 0.9, 1.2, wrt=(0, 1)),
    Program("power_of_itself", power_of_itself, 1.1),
    Program("sine_of_itself", sine_of_itself, 1.3, analytic=False),
    Program("augmented_by_itself", augmented_by_itself, 0.9),
    Program("array_squared_in_loop", array_squared_in_loop, X3),
    Program("matrix_squared_in_loop", matrix_squared_in_loop, matrix(2, 2)),
    Program("item_squared_in_loop", item_squared_in_loop, [0.9, 1.1]),
    Program("square_in_callee", square_in_callee, 1.1),
    Program("swaps_with_itself", swaps_with_itself, 0.9, 1.2, wrt=(0, 1)),
    Program("call_replaces_its_argument", call_replaces_its_argument, Y3),
    Program("call_replaces_then_read", call_replaces_then_read, Y3),
    Program("call_replaces_in_nested_loops", call_replaces_in_nested_loops, Y3 * 0.2),
    Program("call_replaces_tuple", call_replaces_tuple, Y3),
    Program("chosen_call_replaces", chosen_call_replaces, Y3),
    Program("call_replaces_in_branch", call_replaces_in_branch, Y3),
    Program("call_replaces_list", call_replaces_list, [1.2, 1.1]),
    Program("call_replaces_dict", call_replaces_dict, 0.9),
    Program("walrus_in_if_test", walrus_in_if_test, 1.3),
    Program("walrus_in_elif_test", walrus_in_elif_test, 1.3),
    Program("walrus_in_while_test", walrus_in_while_test, 1.3),
    Program("walrus_in_iterable", walrus_in_iterable, 1.3),
    Program("walrus_in_conditional", walrus_in_conditional, 1.3),
    Program("walrus_in_assert", walrus_in_assert, 1.3),
    Program("walrus_in_chained_comparison", walrus_in_chained_comparison, 1.3),
    Program("walrus_in_chained_conditional", walrus_in_chained_conditional, 1.3),
    Program("walrus_in_chained_while", walrus_in_chained_while, 1.3),
    Program("walrus_in_starred_dict", walrus_in_starred_dict, 1.3, 1),
    Program("walrus_in_dict_keys", walrus_in_dict_keys, 1.3, 1),
    Program("walrus_in_slice", walrus_in_slice, 1.3),
    Program("walrus_in_keyword_argument", walrus_in_keyword_argument, 1.3),
    Program("walrus_in_augmented", walrus_in_augmented, 1.3),
    Program("target_rebound_in_iterable", target_rebound_in_iterable, 1.3),
    Program("dict_rebound_in_items_loop", dict_rebound_in_items_loop, 1.3),
    Program("dict_rebound_in_values_loop", dict_rebound_in_values_loop, 1.3),
    Program("dict_rebound_in_keys_loop", dict_rebound_in_keys_loop, 1.3),
    Program("dict_argument_rebound_in_its_loop", dict_argument_rebound_in_its_loop, {"a": 1.3, "b": 0.4}),
    Program("start_rebound_in_enumerate_loop", start_rebound_in_enumerate_loop, 1.3, 2),
    Program("list_rebound_in_its_loop", list_rebound_in_its_loop, 1.3),
    Program("range_bound_in_its_loop", range_bound_in_its_loop, 1.3, 3),
    Program("none_on_the_first_turn", none_on_the_first_turn, 1.3),
    Program("none_or_number_in_branches", none_or_number_in_branches, 1.3),
    Program("none_kept_in_tuple", none_kept_in_tuple, 1.3),
    Program("none_passed_to_callee", none_passed_to_callee, 1.3),
    Program("unused_list_of_callee", unused_list_of_callee, 1.3),
    Program("unused_dict_of_callee", unused_dict_of_callee, 1.3),
    Program("unused_array_of_callee", unused_array_of_callee, X3),
    Program("unused_tuple_of_callee_in_loop", unused_tuple_of_callee_in_loop, 1.3),
    Program("unused_by_chosen_callee", unused_by_chosen_callee, 1.3, 0),
    Program("used_by_chosen_callee", unused_by_chosen_callee, 1.3, 1),
    Program("unused_argument_of_lambda", unused_argument_of_lambda, 1.3),
    Program("capture_rebound_before_direct_call", capture_rebound_before_direct_call, 1.3),
    Program("nested_one_name_in_loop", nested_one_name_in_loop, 1.3),
    Program("lambdas_rebound_in_sequence", lambdas_rebound_in_sequence, 1.3),
    Program("default_of_the_same_name_inside", default_of_the_same_name_inside, 1.3, 0.7, wrt=(0, 1)),
    Program("default_of_the_same_name_beside", default_of_the_same_name_beside, 1.3, 0.7, wrt=(0, 1)),
    Program("inactive_operator_of_object", inactive_operator_of_object, 1.3),
    Program("function_in_instance", function_in_instance, 1.3),
    Program("static_method_of_instance", static_method_of_instance, 1.3),
    Program("private_method", private_method, 1.3),
    Program("asks_for_its_class", asks_for_its_class, 1.3, MODEL),
    Program("asks_for_another_class", asks_for_its_class, 1.3, [1.0]),
    Program("asks_for_array_or_class", asks_for_array_or_class, 1.3, X3),
    Program("integer_enumeration", integer_enumeration, 1.3, Level.HIGH),
    Program("cached_inactive", cached_inactive, 1.3),
    Program("list_of_unknown_type_repeated", list_of_unknown_type_repeated, 1.3),
    Program("tuple_of_unknown_type_repeated", tuple_of_unknown_type_repeated, 1.3),
    Program("tuple_repeated", tuple_repeated, 1.3),
    Program("arrays_repeated", arrays_repeated, X3),
    Program("dict_union_argument", dict_union_argument, {"a": 1.3, "b": 0.4}),
    Program("dict_union_overrides", dict_union_overrides, {"a": 1.3, "b": 0.4}),
    Program("dict_union_in_loop", dict_union_in_loop, {"a": 1.3, "b": 0.4}),
    Program("bits_of_integers", bits_of_integers, 1.3, 6),
    Program(
        "argument_replaced_by_dict_of_other_keys",
        argument_replaced_by_dict_of_other_keys,
        {"a": 1.3, "b": 0.4},
    ),
    Program("argument_replaced_by_list_in_its_loop", argument_replaced_by_list_in_its_loop, [1.3, 0.4]),
    Program("argument_replaced_by_dict_in_its_loop", argument_replaced_by_dict_in_its_loop, [1.3, 0.4]),
    Program("dict_grown_in_loop", dict_grown_in_loop, 1.3),
    Program("dict_updated_over_its_keys", dict_updated_over_its_keys, 1.3),
    Program("list_rebuilt_from_itself", list_rebuilt_from_itself, 1.3),
    Program(
        "dict_comprehension_of_products",
        dict_comprehension_of_products,
        {"a": 1.3, "b": 0.4},
        2.0,
        wrt=(0, 1),
    ),
    Program("dict_of_keywords", dict_of_keywords, 1.3),
    Program("key_with_quotes", key_with_quotes, {'a"""b': 1.3, "c\\": 0.4}),
    Program("sum_of_empty_list", sum_of_empty_list, 1.3, 0),
    Program("sum_of_list_perhaps_empty", sum_of_empty_list, 1.3, 3),
    Program("sum_of_empty_argument", sum_of_empty_argument, 1.3, []),
    Program("item_is_an_integer", item_is_an_integer, 1.3, np.int64(3)),
    Program("reshaped_by_list", reshaped_by_list, GRID, vector(3), wrt=(0, 1)),
    Program("reshaped_by_list_of_unknown", reshaped_by_list_of_unknown, GRID, vector(2), [3, 2], wrt=(0, 1)),
    Program("tiled_by_list", tiled_by_list, X3),
    Program("broadcast_by_list", broadcast_by_list, X3),
    Program("full_by_list", full_by_list, X3),
    Program("transposed_by_list", transposed_by_list, matrix(3, 3)),
    Program("contracted_over_none", contracted_over, X3, Y3, 0, wrt=(0, 1)),
    Program("contracted_over_one", contracted_over, matrix(2, 3), array(3, 2, seed=3), 1, wrt=(0, 1)),
    Program("contracted_over_two", contracted_over, matrix(2, 3), array(2, 3, seed=3), 2, wrt=(0, 1)),
    Program("method_of_element", method_of_element, matrix(2, 2), analytic=False),
    Program("methods_of_chosen_array", methods_of_chosen_values, matrix(2, 2), True, analytic=False),
    Program("methods_of_chosen_scalar", methods_of_chosen_values, matrix(2, 2), False, analytic=False),
    Program("zero_dimensional_in_loop", zero_dimensional_in_loop, np.array(1.3)),
    Program("output_is_none", output_is_none, X3, Y3, wrt=(0, 1)),
    Program("infinite_and_not_taken", infinite_and_not_taken, 1.3, 0),
    Program("infinite_and_not_used", infinite_and_not_used, 1.3, 1),
    Program("infinite_and_not_chosen", infinite_and_not_chosen, 1.3, 0),
    Program("infinite_for_one_element", infinite_for_one_element, [1.3, 0.4]),
    Program("sums_without_influence", sums_without_influence, X3),
    Program("sums_of_list_without_influence", sums_without_influence, [1.3, 0.4, 2.0]),
    Program("items_without_influence", items_without_influence, [1.3, 0.4, 2.0], analytic=False),
    Program("dict_without_influence", dict_without_influence, {"a": 1.3, "b": 0.4}),
    Program("reductions_without_influence", reductions_without_influence, X3, analytic=False),
    Program("call_without_influence", call_without_influence, X3),
    Program("local_named_default", local_named_default, X3),
    Program("local_named_like_a_forward", local_named_like_a_forward, 1.3),
    Program("globals_named_like_emitted", globals_named_like_emitted, 1.3),
    Program("globals_named_like_its_own", globals_named_like_its_own, 1.3),
    Program("local_named_like_module_globals", local_named_like_module_globals, 1.3),
    Program("local_named_like_a_cell", _with_free_variable(), 1.3),
    Program("locals_named_like_builtins", locals_named_like_builtins, 1.3),
    Program("constants_that_are_builtins", constants_that_are_builtins, 1.3, ...),
    Program("constants_that_are_not_given", constants_that_are_builtins, 1.3, None),
    Program("factorial_power", factorial_power, 1.3, 4),
    Program("wrapped_ever_deeper", wrapped_ever_deeper, 1.3),
    Program("list_ever_deeper", list_ever_deeper, 1.3),
    Program("steps_of_numpy", steps_of_numpy, 1.3, 0.5, analytic=False),
    Program("copied_sign_of_active", copied_sign_of_active, -1.3, analytic=False),
    Program("constants_folded", constants_folded, 1.3),
    Program("formats_in_order", formats_in_order, 1.3),
    Program("function_that_raises", function_that_raises, 1.3),
    Program("result_of_nested_definition", result_of_nested_definition, 1.3),
    Program("gradient_of_the_inactive", gradient_of_the_inactive, 1.3, 2.0),
    Program("name_of_three_uses", name_of_three_uses, X3, np.array([0.1, 0.4, -0.6]), 0, wrt=(0, 1)),
    Program("name_of_three_uses_untaken", name_of_three_uses, X3, np.array([0.1, 0.4, -0.6]), 1, wrt=(0, 1)),
    Program("halved_and_squared", halved_and_squared, 1.3, 2),
    Program("halved_and_squared_never", halved_and_squared, 1.3, 0),
    Program("arrays_halved_and_squared", arrays_halved_and_squared, X3, 2),
    Program("arrays_halved_and_squared_never", arrays_halved_and_squared, X3, 0),
    Program("shape_by_position", shape_by_position, np.array([0.5]), X3, wrt=(0, 1), analytic=False),
    Program("filled_by_position", filled_by_position, np.array([0.5]), X3, wrt=(0, 1), analytic=False),
    Program("product_of_two_names", product_of_two_names, *PRODUCTS, wrt=(0, 1, 2)),
    Program("products_kept_in_a_list", products_kept_in_a_list, *PRODUCTS, wrt=(0, 1, 2)),
    Program("products_left_in_the_middle", products_left_in_the_middle, *PRODUCTS, wrt=(0, 1, 2)),
    Program("product_with_one_row", product_with_one_row, *PRODUCTS, wrt=(0, 1, 2)),
    Program("product_seen_transposed", product_seen_transposed, *PRODUCTS, wrt=(0, 1, 2)),
    Program("products_in_a_branch", products_in_a_branch, *PRODUCTS, wrt=(0, 1, 2)),
]
