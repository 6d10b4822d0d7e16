"""Programs at the edge of what is supported: each must be differentiated right, or refused.

Nothing here says which. A silently wrong gradient is the one thing that must not happen.
"""

import collections
import copy
import functools
import itertools
import math
import operator
import statistics
import types
from dataclasses import dataclass

import numpy as np

from tests.programs.table import Program, matrix, positive, vector


def square(x):
    return x * x


def scaled(x, factor=2.0):
    return x * factor


@functools.lru_cache(maxsize=None)
def cached(x):
    return x * x


def logged(f):
    @functools.wraps(f)
    def wrapper(*args, **kwargs):
        return 2.0 * f(*args, **kwargs)

    return wrapper


@logged
def decorated(x):
    return x * x


@dataclass
class Pair:
    first: float
    second: float

    def total(self):
        return self.first * self.second


class Private:
    __scale = 3.0

    def __init__(self, weight):
        self.__weight = weight
        self.calls = 0

    def apply(self, x):
        return x * self.__weight * self.__scale

    def __getitem__(self, index):
        return self.__weight * index

    def __len__(self):
        return 4

    def __add__(self, other):
        return self.__weight + other

    def __radd__(self, other):
        return self.__weight * other

    def __matmul__(self, other):
        return other * 5.0

    def __getattr__(self, name):
        if name == "missing":
            return 7.0
        raise AttributeError(name)


PRIVATE = Private(0.5)
WEIGHTS = [0.5, 2.0]
BY_NAME = {"a": 0.5}
Row = collections.namedtuple("Row", "left right")


# Functions that take functions: an active value may hide in what they capture.


def maps(items):
    return sum(list(map(square, items)))


def maps_capturing(x):
    return sum(list(map(lambda v: v * x, [1.0, 2.0])))


def filters(items):
    return sum(list(filter(lambda v: v > 0.0, items)))


def filters_capturing(x):
    return sum(list(filter(lambda v: v < x, [1.0, 2.0]))) * x


def reduces(items):
    return functools.reduce(lambda a, b: a * b, items)


def reduces_capturing(x):
    return functools.reduce(lambda a, b: a * b * x, [1.0, 2.0, 3.0])


def partial_positional(x):
    return functools.partial(scaled, x)(3.0)


def partial_keyword(x):
    return functools.partial(scaled, factor=x)(3.0)


def sorts_with_key(items):
    return sorted(items, key=lambda v: -v)[0] * 2.0


def sorts_with_captured_key(x):
    return sorted([1.0, 2.0], key=lambda v: v * x)[0] * x


def sorts_captured_values(x):
    table = {"a": x, "b": 2.0 * x}
    return table[sorted(["b", "a"], key=lambda name: table[name])[0]]


def largest_with_key(items):
    return max(items, key=lambda v: v * v) * 3.0


def largest_with_default(x):
    return max([], default=x) * 2.0


def vectorized(x):
    return np.vectorize(lambda v: v * x)(np.array([1.0, 2.0])).sum()


def along_axis(m):
    return np.apply_along_axis(lambda row: row * row, 0, m).sum()


def along_axis_capturing(x):
    return np.apply_along_axis(lambda row: row * x, 0, np.ones((2, 2))).sum()


def from_function(x):
    return np.fromfunction(lambda i, j: i * x + j, (2, 2)).sum()


def from_iterator(items):
    return np.fromiter([v * v for v in items], float).sum()


def piecewise(x):
    return np.piecewise(x, [x < 0.0, x >= 0.0], [lambda v: -v, lambda v: v * v]).sum()


def cached_function(x):
    return cached(x) * x


def decorated_function(x):
    return decorated(x) * x


def accumulates(items):
    return list(itertools.accumulate(items, lambda a, b: a * b))[-1]


def list_of_closures(x):
    functions = [lambda v, k=k: v * x + k for k in range(3)]
    return functions[0](2.0) * functions[2](x)


def list_of_late_closures(x):
    functions = [lambda v: v * x + k for k in range(3)]
    return functions[0](2.0) * functions[1](x)


def dict_of_closures(x):
    table = {"double": lambda v: v * x, "square": lambda v: v * v * x}
    return table["double"](3.0) * table["square"](x)


def tuple_returns_closure(x):
    def make(a):
        return a * 2.0, lambda v: v * a

    value, f = make(x)
    return f(value) * f(x)


def closure_chosen(x):
    def grow(v):
        return v * x

    def shrink(v):
        return v / x

    f = grow if x > 1.0 else shrink
    return f(3.0) * f(x)


def defined_conditionally(x, flag):
    if flag:

        def f(v):
            return v * x
    else:

        def f(v):
            return v + x

    return f(x) * f(2.0)


def closure_through_argument(x):
    def apply(f, v):
        return f(f(v))

    return apply(lambda v: v * x, 2.0)


def closure_through_default(x):
    def outer(v, f=lambda w: w * x):
        return f(v) * x

    return outer(2.0)


def closure_in_loop_kept(x):
    f = square
    for k in range(3):
        y = x * k

        def f(v):  # noqa: F811
            return v * y + k

    y = x
    return f(x)


def counter_closure(x):
    def make():
        values = [x, x * x]
        return lambda k: values[k]

    get = make()
    return get(0) * get(1)


# Objects that are made, or stand between.


def makes_dataclass(x):
    pair = Pair(x, x * 2.0)
    return pair.first * pair.second


def makes_dataclass_and_calls(x):
    return Pair(x, 3.0).total() + Pair(2.0, x).total()


def makes_namespace(x):
    space = types.SimpleNamespace(value=x * x)
    return space.value * 2.0


def makes_named_tuple(x):
    row = Row(x, x * x)
    return row.left * row.right + row._replace(left=2.0).left * x


def named_tuple_as_dict(x):
    return Row(x, x * x)._asdict()["right"] * 2.0


def private_attributes(x):
    return PRIVATE.apply(x) * x


def object_operators(x):
    return (PRIVATE + x) * 2.0 + (x + PRIVATE) * 3.0 + x


def object_matmul(x):
    return (PRIVATE @ x) * x


def object_index(x):
    return PRIVATE[x] * len(PRIVATE)


def object_getattr(x):
    return PRIVATE.missing * x + getattr(PRIVATE, "calls") * x + x


def object_argument(x, pair):
    return x * pair.first + pair.total() * x


def object_argument_selected(pair):
    return pair.first * pair.second


def deque_of_values(x):
    return sum(collections.deque([x, x * x])) * 2.0


def ordered_dict(x):
    return collections.OrderedDict(a=x, b=x * x)["b"] * 2.0


def default_dict(x):
    return collections.defaultdict(float, {"a": x})["a"] * 3.0


def chain_map(x):
    return collections.ChainMap({"a": x}, {"b": 2.0})["a"] * x


def dict_call(x):
    return dict(a=x, b=x * x)["b"] * 2.0


def dict_of_zip(x):
    return dict(zip(["a", "b"], [x, x * x]))["b"] * 2.0


def dict_of_pairs(x):
    return dict([("a", x), ("b", x * x)])["b"] * 2.0


def dict_from_keys(x):
    return dict.fromkeys(["a", "b"], x)["b"] * 2.0


def dict_union(x):
    return ({"a": x} | {"b": x * x})["b"] * 2.0


def dict_get_default(x):
    return {"a": x}.get("b", x * 3.0) * {"a": x}.get("a", 1.0)


def dict_copy(x):
    return {"a": x * x}.copy()["a"] * 2.0


def dict_pop(x):
    return {"a": x * x}.pop("a") * 2.0


def dict_setdefault(x):
    return {"a": 1.0}.setdefault("b", x * x) * 2.0


def dict_values_list(x):
    return list({"a": x, "b": x * x}.values())[1] * 2.0


def dict_items_list(x):
    return list({"a": x, "b": x * x}.items())[1][1] * 2.0


def dict_in_order_of_values(x):
    return [v for _, v in sorted({"a": x, "b": 0.3}.items())][0] * 2.0


def list_call(items):
    return list(items)[0] * list(items)[1] + tuple(items)[0]


def list_copy(x):
    return [x, x * x].copy()[1] * 2.0


def list_index_method(x):
    items = [x, x * x, 2.0]
    return items[items.index(2.0) - 1] * items.count(2.0)


def list_reversed(x):
    return list(reversed([x, x * x]))[0] * 2.0


def list_of_zip(x):
    return list(zip([x, 2.0], [3.0, x]))[1][1] * 2.0


def list_of_enumerate(x):
    return list(enumerate([x, x * x]))[1][1] * 2.0


def list_of_range(x):
    return list(range(4))[2] * x


def list_of_list_comparison(x):
    return x * 2.0 if [x, 1.0] < [2.0, 0.0] else x * 3.0


def list_pop_returned(x):
    items = [x, x * x]
    return items.pop() * 2.0


def zip_kept(x):
    pairs = zip([x, 2.0], [3.0, x])
    y = 0.0
    for a, b in pairs:
        y = y + a * b
    for a, b in pairs:
        y = y + 100.0 * a * b
    return y


def iterator_kept(x):
    it = iter([x, x * x])
    return next(it) * next(it)


def iterator_default(x):
    return next(iter([]), x) * 2.0


def enumerate_kept(x):
    pairs = enumerate([x, x * x])
    y = 0.0
    for k, v in pairs:
        y = y + v * k
    for k, v in pairs:
        y = y + 100.0 * v
    return y


def set_of_values(x):
    return sum({x, x * x}) * 2.0


def set_comprehension(x):
    return sum({v * v for v in [x, 2.0]})


def sorted_values(items):
    return sorted(items)[0] * 2.0 + sorted(items, reverse=True)[0]


def chained_iteration(x):
    y = 0.0
    for v in itertools.chain([x], [x * x]):
        y = y + v * v
    return y


def product_iteration(x):
    y = 0.0
    for a, b in itertools.product([x, 1.0], [2.0, x]):
        y = y + a * b
    return y


def pairwise_iteration(a):
    y = 0.0
    for u, v in itertools.pairwise(a):
        y = y + u * v
    return y


def combinations_iteration(items):
    return sum([a * b for a, b in itertools.combinations(items, 2)])


def grouped_sum(x):
    return sum([[x], [x * x]], [])[1]


def string_round_trip(x):
    return float(str(x)) * x


def format_round_trip(x):
    return float(f"{x:.3f}") * x


def starred_print(x):
    print(*[x, x * x], sep="-")
    return x * x


# Functions of numbers.


def operator_functions(x, y):
    return operator.add(x, y) * operator.mul(x, y) - operator.neg(x) + operator.truediv(x, y)


def operator_getters(x):
    return operator.itemgetter(1)([x, x * x]) * 2.0


def operator_attribute(x):
    return operator.attrgetter("real")(x) * x


def operator_iadd(x):
    return operator.iadd(x, x) * 2.0


def math_sums(items):
    return math.fsum(items) * math.prod(items)


def math_distance(x, y):
    return math.dist([x, y], [0.0, 1.0]) * 2.0


def math_pieces(x):
    return math.modf(x)[0] * 2.0 + math.frexp(x)[0] + math.ldexp(x, 2)


def math_special(x):
    return math.gamma(x) + math.lgamma(x) + math.erfc(x)


def math_angles(x):
    return math.degrees(x) + math.radians(x) + math.copysign(x, -1.0) + math.fmod(x, 0.7)


def math_rounding(x):
    return math.floor(x) * x + math.ceil(x) * x + math.trunc(x) * x + round(x, 1) * x


def math_remainder(x):
    return math.remainder(x, 0.7) * 2.0


def mean_of_statistics(items):
    return statistics.fmean(items) * 2.0


def divmod_parts(x):
    q, r = divmod(x, 0.7)
    return q * r * x


def pow_function(x, y):
    return pow(x, 2) * pow(x, y)


def float_methods(x):
    return x.conjugate() * x.real + x.imag + x.__add__(x) + float(x.is_integer())


def float_ratio(x):
    n, d = x.as_integer_ratio()
    return n / d * x


def float_call_forms(x):
    return float(x) * np.float64(x) + np.double(2.0) * x


def bool_of_active(x):
    return bool(x) * x + x * (not x)


def complex_numbers(x):
    z = complex(x, x * x)
    return z.real * z.imag


def complex_absolute(x):
    return abs(complex(x, 2.0)) * 2.0


def any_and_all(items):
    return items[0] * 2.0 if any([v > 0 for v in items]) and not all([v > 0 for v in items]) else items[1]


def sum_of_start(items):
    return sum(items, 3.0 * items[0])


def sum_of_keyword_start(items):
    return sum(items, start=items[1])


def sum_of_dict_values(x):
    return sum({"a": x, "b": x * x}.values())


def hash_and_identity(x):
    return x * (hash("a") == hash("a")) + x * (id(x) > 0)


def copies(x):
    a = copy.copy([x, x * x])
    b = copy.deepcopy([x, [x * x]])
    return a[1] * b[1][0]


# NumPy.


def array_copies(x):
    return (
        np.copy(x) * x.copy() + np.asarray(x) * np.ascontiguousarray(x) + np.array(x) + np.array(x, copy=True)
    ).sum()


def array_to_list(x):
    items = x.tolist()
    return items[0] * items[1]


def array_flat(x):
    return sum([v * v for v in x.flat]) + x.flat[1]


def array_enumerated(x):
    return sum([v * index[0] for index, v in np.ndenumerate(x)])


def array_real(x):
    return (x.real * np.real(x) + x.imag + np.conj(x)).sum()


def array_view(x):
    return (x.view() * x).sum()


def array_item_forms(x):
    return x.item(0) * x.item((1,)) + x[()].sum() + x[1,] * 2.0


def array_take(x):
    return np.take(x, [0, 2, 0]).sum() * x.take(1) + np.take(x, 1)


def array_choose(x):
    return np.choose([0, 1, 0], [x, x * x]).sum()


def array_select(x):
    return np.select([x > 0.5, x > -0.5], [x * x, x], default=0.0).sum()


def array_where_one_argument(x):
    return x[np.where(x > 0.0)].sum() + x[np.nonzero(x > 0.3)].prod()


def array_compress(x):
    return np.compress([True, False, True], x).sum() + np.extract(x > 0.0, x).sum()


def array_diff(x):
    return (np.diff(x) ** 2).sum() + np.ediff1d(x).prod()


def array_gradient(x):
    return (np.gradient(x) ** 2).sum()


def array_interp(x):
    return np.interp(0.3, [0.0, 1.0], x[:2]) + np.interp(x[0] ** 2, [0.0, 1.0, 2.0], [1.0, 3.0, 2.0])


def array_polynomials(x):
    return np.polyval(x, 2.0) + np.polynomial.polynomial.polyval(0.5, x)


def array_convolve(x):
    return np.convolve(x, x).sum() * np.correlate(x, x)[0]


def array_trapezoid(x):
    return np.trapezoid(x * x, dx=0.5)


def array_average(x):
    return np.average(x * x, weights=np.array([1.0, 2.0, 3.0])) + np.average(x)


def array_median(x):
    return np.median(x) * 2.0 + np.percentile(x, 30) + np.quantile(x, 0.6)


def array_nan_functions(x):
    return np.nansum(x * x) + np.nanmax(x) + np.nanmean(x)


def array_nan_to_num(x):
    return np.nan_to_num(x * x).sum()


def array_ptp(x):
    return np.ptp(x) * 2.0


def array_cross(x):
    return np.cross(x, np.array([1.0, 2.0, 3.0])).sum()


def array_linear_algebra(m):
    return np.linalg.det(m) + np.linalg.inv(m).sum() + np.linalg.solve(m, np.ones(2)).sum()


def array_slogdet(m):
    sign, value = np.linalg.slogdet(m)
    return sign * value


def array_decompositions(m):
    return np.linalg.cholesky(m @ m.T + np.eye(2)).sum() + np.linalg.eigvalsh(m + m.T).max()


def array_svd(m):
    u, s, v = np.linalg.svd(m)
    return s.sum()


def array_pinv(m):
    return np.linalg.pinv(m).sum() + np.linalg.matrix_power(m, 3).sum()


def array_lstsq(m):
    return np.linalg.lstsq(m, np.ones(2), rcond=None)[0].sum()


def array_multi_dot(m):
    return np.linalg.multi_dot([m, m, m]).sum()


def array_norm_orders(x):
    return np.linalg.norm(x, 1) + np.linalg.norm(x, np.inf) + np.linalg.norm(x, 3)


def array_fft(x):
    return np.fft.fft(x).real.sum()


def array_ufunc_reduce(x):
    return np.add.reduce(x * x) * np.multiply.reduce(x)


def array_ufunc_outer(x):
    return np.multiply.outer(x, x).sum()


def array_ufunc_accumulate(x):
    return np.add.accumulate(x)[1] * 2.0


def array_ufunc_where(x):
    return np.multiply(x, x, where=[True, True, True]).sum()


def array_sum_initial(x):
    return np.sum(x, initial=3.0) * x.sum()


def array_sum_dtype(x):
    return np.sum(x, dtype=np.float32) * 2.0


def array_max_initial(x):
    return np.max(x, initial=0.5) * x.sum()


def array_where_keyword(x):
    return np.mean(x, where=np.array([True, False, True]))


def array_clip_forms(x):
    return np.clip(x, None, 0.5).sum() + np.clip(x, a_min=-0.3, a_max=None).sum() + x.clip(min=0.2).sum()


def array_reshape_order(m):
    return (m.reshape(-1, order="F") * np.arange(6.0)).sum() + (m.ravel("F")[:3] * np.arange(3.0)).sum()


def array_meshgrid(x):
    a, b = np.meshgrid(x, x)
    return (a * b).sum()


def array_linspace(x):
    return np.linspace(0.0, x, 4).sum() * np.linspace(x, 3.0, 3)[1]


def array_arange(x):
    return np.arange(0.0, x, 0.4).sum() * x


def array_full(x):
    return np.full(3, x).sum() * np.full_like(np.ones(2), x).prod()


def array_ones_times(x):
    return (np.ones_like(x) * x + np.zeros_like(x)).sum() * np.identity(2)[0, 0]


def array_diagonals(m):
    return np.diagonal(m).sum() * np.diag(m, 1)[0] + np.diag(m[0]).sum() + m.diagonal().prod() + m.trace()


def array_rot(m):
    return (np.rot90(m) * np.arange(4.0).reshape(2, 2)).sum() + np.fliplr(m)[0, 0] * np.flipud(m)[0, 1]


def array_append(x):
    return (np.append(x, x[0] * 2.0) ** 2).sum()


def array_insert_delete(x):
    return np.insert(x, 1, 2.0).sum() * np.delete(x, 0).sum()


def array_block(x):
    return np.block([[x, x], [x, 2.0 * x]]).sum()


def array_pad_modes(x):
    return np.pad(x, 1, mode="edge").prod() + np.pad(x, (1, 2), constant_values=0.5).prod()


def array_pad_reflect(x):
    return (np.pad(x, 2, mode="reflect") * np.arange(7.0)).sum()


def array_searchsorted(x):
    return x[np.searchsorted([0.0, 1.0], 0.5)] * 2.0 + np.searchsorted(np.sort(x), 0.1) * x[0]


def array_histogram(x):
    return np.histogram(x, bins=2)[0][0] * x[0]


def array_bincount(x):
    return np.bincount([0, 1, 1], weights=x)[1] * 2.0


def array_digitize(x):
    return x[np.digitize(0.5, [0.0, 1.0])] * 3.0


def array_unique(x):
    return np.unique(x).sum()


def array_lexsort(x):
    return x[np.lexsort((x,))][0] * 2.0


def array_partition(x):
    return np.partition(x, 1)[0] * 2.0


def array_einsum_views(m):
    return (np.einsum("ij->ji", m) * m).sum() + np.einsum("ii->i", m).prod()


def array_inner_products(m):
    return np.inner(m, m).sum() + np.vdot(m, m) + np.linalg.outer(m[0], m[1]).sum()


def array_random(x):
    rng = np.random.default_rng(3)
    return (x * rng.normal(size=3)).sum() * rng.uniform()


def array_object_dtype(x):
    return np.array([x[0], x[1]], dtype=object)[1] * 2.0


def array_structured(x):
    return x.astype([("a", float)])["a"].sum()


def array_matrix_class(m):
    return np.asmatrix(m).sum() * 2.0


def array_masked(x):
    return np.ma.masked_less(x, 0.0).sum() * 2.0


def array_of_arrays(x):
    return (np.array([x, x * x]) * np.array([[1.0], [2.0]])).sum()


def array_shares_elements(x):
    y = x
    z = y[1:]
    return (z * y[:-1]).sum() + z[0] * y[1]


def array_iterated_pairs(m):
    y = 0.0
    for (a, b), c in zip(m, [1.0, 2.0]):
        y = y + a * b * c
    return y


def array_boolean_arithmetic(x):
    return (x * (x > 0.0)).sum() + ((x > 0.0) & (x < 1.0)).sum() * x[0] + (~(x > 0.0) * x).sum()


def array_integer_division(x):
    return (x // 0.4).sum() * x[0] + (x % 0.4).sum() + np.mod(x, 0.3).sum() + np.fmod(x, 0.3).sum()


def array_float_power(x):
    return np.float_power(x, 2.0).sum() + np.positive(x).prod() + np.fabs(x).sum()


def array_divmod(x):
    q, r = np.divmod(x, 0.4)
    return q.sum() * x[0] + r.sum()


def array_modf(x):
    fractional, whole = np.modf(x * 3.0)
    return fractional.sum() * whole.sum()


def array_rounding(x):
    return (
        np.floor(x * 3.0) * x + np.round(x, 1) * x + np.rint(x) * x + np.trunc(x * 2.0) * x
    ).sum() + x.round(1)[0]


def array_heaviside(x):
    return (np.heaviside(x, 0.5) * x).sum() + np.copysign(x, -1.0).sum() + np.ldexp(x, 2).sum()


def array_special(x):
    return np.i0(x).sum() + np.unwrap(x).sum() + np.nextafter(x, 2.0).sum()


def array_trigonometry(x):
    return (
        np.arcsin(x * 0.4) + np.arccosh(x * x + 1.5) + np.deg2rad(x) + np.arctanh(0.3 * x) + np.arcsinh(x)
    ).sum()


def array_spacing(x):
    return np.spacing(x).sum() * 0.0 + np.frexp(x)[0].sum()


def array_vectors_stacked(x):
    return (np.column_stack([x, x * x]) ** 2).sum() + np.dstack([x, x]).sum() + np.atleast_2d(x).prod()


def array_split_kinds(m):
    left, right = np.hsplit(m, 2)
    top, bottom = np.vsplit(m, 2)
    return (left * right).sum() + (top * bottom).sum() + np.array_split(m, 2)[0].prod()


def array_index_kinds(m):
    return m[np.ix_([0, 1], [1, 0])].sum() * m[..., np.array([True, False])].sum() + m[slice(0, 1), -1].sum()


def array_index_by_lists(m):
    return m[[0, 0], [1, 1]].sum() * m[[True, False]].sum() + m[np.int64(1), np.array(0)] ** 2


def array_index_2d_mask(m):
    return m[m > 0.0].sum() * m[np.array([[0, 1], [1, 0]])].sum()


def array_index_mixed(m):
    return (m[:, [0, 1, 0]] ** 2).sum() + (m[[1, 0], None, :] * 2.0).sum() + m[None][0, 1:, ::-1].prod()


def scalar_methods(x):
    y = np.float64(x)
    return y.sum() * y.item() + y.mean() + y.reshape(1)[0] + y.astype(float) + y[()]


def scalar_broadcast_methods(x):
    return (
        np.sum(x) * np.mean(x) + np.max(x) + np.reshape(x, (1, 1))[0, 0] + np.squeeze(x) + np.atleast_1d(x)[0]
    )


# Order of evaluation and rebinding.


def rebinds_in_operand(x):
    return x * (x := x + 1.0) + x


def rebinds_in_arguments(x):
    return scaled(x, (x := x * 3.0)) * x


def rebinds_in_list(x):
    items = [x, (x := x * x), x]
    return items[0] * items[1] * items[2]


def rebinds_in_comparison(x):
    return x * 2.0 if x < (x := x + 1.0) < x + 1.0 else x * 3.0


def rebinds_in_subscript(x):
    items = [x, x * x]
    return items[(items := [1, 0])[1]] * items[0] * x


def rebinds_in_dict(x):
    return {x > 0.0: x, (x := 2.0 * x) > 100.0: x}[True] * x


def rebinds_in_condition(x):
    return (x if (x := x * 2.0) > 1.0 else 0.0) * x


def rebinds_in_call_target(x):
    f = square
    return f((f := scaled)(x)) * f(x)


def unpacks_in_order(x):
    a, a = x, x * x
    b = [a, x]
    b, c = b[0], b
    return a * b * c[1]


def unpacks_into_itself(x):
    x, (y, x) = x * 2.0, (x, x * 3.0)
    return x * y


def loops_over_rebound(x):
    items = [x, x * x]
    y = 0.0
    for v in items:
        items = [100.0]
        y = y + v * len(items)
    return y


def loops_with_unicode_names(θ):
    µ = θ * θ  # the micro sign, which Python takes for the Greek letter
    return μ * θ


def annotated_without_value(x):
    y: float
    y = x * x
    z: "anything" = y * 2.0  # noqa: F821
    return z


def lambdas_on_one_line(x):
    f, g = lambda v: v * 2.0, lambda v: v * v
    return f(x) * g(x)


def type_of_value(x):
    return x * 2.0 if type(x) is float else x * 3.0


def isinstance_of_value(x):
    return x * 2.0 if isinstance(x, (int, str)) else x * 3.0 if isinstance(x, float) else x * 0.0


def global_in_loop_header(x):
    y = x
    for w in WEIGHTS:
        y = y * w + BY_NAME["a"]
    return y


def method_by_class(x):
    return np.ndarray.sum(np.array([x, x * x])) + float.__mul__(x, x)


def string_multiplied(x):
    return x * len("ab" * 3) + x * ("a" in "abc") + x * "abc".index("c")


def bytes_and_bits(x):
    return x * b"abc"[0] + x * (5 ^ 3) + x * (~2) + x * (1 << 3 | 1)


def matrix_of_functions(x):
    table = [[square, scaled], [np.sin, np.exp]]
    return table[0][1](x) * table[1][0](x)


X = 1.3
Y = 0.4
ITEMS = [1.3, 0.4, -0.7]
_V = vector(3)
_M = matrix(2, 2)
_UNARY = [
    maps_capturing, filters_capturing, reduces_capturing, partial_positional, partial_keyword,
    sorts_with_captured_key, sorts_captured_values, largest_with_default, vectorized, along_axis_capturing,
    from_function, cached_function, decorated_function, list_of_closures, list_of_late_closures,
    dict_of_closures, tuple_returns_closure, closure_chosen, closure_through_argument,
    closure_through_default, closure_in_loop_kept, counter_closure, makes_dataclass,
    makes_dataclass_and_calls, makes_namespace, makes_named_tuple, named_tuple_as_dict, private_attributes,
    object_operators, object_matmul, object_index, object_getattr, deque_of_values, ordered_dict,
    default_dict, chain_map, dict_call, dict_of_zip, dict_of_pairs, dict_from_keys, dict_union,
    dict_get_default, dict_copy, dict_pop, dict_setdefault, dict_values_list, dict_items_list,
    dict_in_order_of_values, list_copy, list_index_method, list_reversed, list_of_zip, list_of_enumerate,
    list_of_range, list_of_list_comparison, list_pop_returned, zip_kept, iterator_kept, iterator_default,
    enumerate_kept, set_of_values, set_comprehension, chained_iteration, product_iteration, grouped_sum,
    starred_print, operator_getters, operator_attribute, operator_iadd, math_pieces, math_special,
    math_angles, math_rounding, math_remainder, divmod_parts, float_methods, float_ratio, float_call_forms,
    bool_of_active, complex_numbers, complex_absolute, hash_and_identity, sum_of_dict_values, copies,
    array_linspace, array_arange, array_full, scalar_methods, scalar_broadcast_methods, rebinds_in_operand,
    rebinds_in_arguments, rebinds_in_list, rebinds_in_comparison, rebinds_in_subscript, rebinds_in_dict,
    rebinds_in_condition, rebinds_in_call_target, unpacks_in_order, unpacks_into_itself, loops_over_rebound,
    loops_with_unicode_names, annotated_without_value, lambdas_on_one_line, type_of_value,
    isinstance_of_value, global_in_loop_header, method_by_class, string_multiplied, bytes_and_bits,
    matrix_of_functions,
]  # fmt: skip
_OF_ITEMS = [
    maps, filters, reduces, sorts_with_key, largest_with_key, from_iterator, accumulates, list_call,
    sorted_values, combinations_iteration, math_sums, mean_of_statistics, any_and_all, sum_of_start,
    sum_of_keyword_start,
]  # fmt: skip
_OF_VECTOR = [
    piecewise, pairwise_iteration, array_copies, array_to_list, array_flat, array_enumerated, array_real,
    array_view, array_item_forms, array_take, array_choose, array_select, array_where_one_argument,
    array_compress, array_diff, array_gradient, array_interp, array_polynomials, array_convolve,
    array_trapezoid, array_average, array_median, array_nan_functions, array_nan_to_num, array_ptp,
    array_cross, array_norm_orders, array_fft, array_ufunc_reduce, array_ufunc_outer,
    array_ufunc_accumulate, array_ufunc_where, array_sum_initial, array_max_initial, array_where_keyword,
    array_clip_forms, array_meshgrid, array_ones_times, array_append, array_insert_delete, array_block,
    array_pad_modes, array_pad_reflect, array_searchsorted, array_histogram, array_bincount, array_digitize,
    array_unique, array_lexsort, array_partition, array_random, array_object_dtype, array_structured,
    array_masked, array_of_arrays, array_shares_elements, array_boolean_arithmetic, array_integer_division,
    array_divmod, array_modf, array_rounding, array_heaviside, array_trigonometry, array_spacing,
    array_vectors_stacked,
]  # fmt: skip
_OF_MATRIX = [
    along_axis, array_linear_algebra, array_slogdet, array_decompositions, array_svd, array_pinv,
    array_lstsq, array_multi_dot, array_diagonals, array_rot, array_einsum_views, array_inner_products,
    array_matrix_class, array_iterated_pairs, array_split_kinds, array_index_kinds, array_index_by_lists,
    array_index_2d_mask, array_index_mixed,
]  # fmt: skip

FRONTIER = [
    *[Program(f.__name__, f, X) for f in _UNARY],
    *[Program(f.__name__, f, ITEMS) for f in _OF_ITEMS],
    *[Program(f.__name__, f, _V) for f in _OF_VECTOR],
    *[Program(f.__name__, f, _M) for f in _OF_MATRIX],
    Program("defined_conditionally", defined_conditionally, X, True),
    Program("defined_conditionally_other", defined_conditionally, X, False),
    Program("operator_functions", operator_functions, X, Y, wrt=(0, 1)),
    Program("math_distance", math_distance, X, Y, wrt=(0, 1)),
    Program("pow_function", pow_function, X, Y, wrt=(0, 1)),
    Program("object_argument", object_argument, X, Pair(0.3, 0.4)),
    Program("array_reshape_order", array_reshape_order, matrix(2, 3)),
    Program("array_float_power", array_float_power, positive(3)),
    Program("array_special", array_special, positive(3)),
]
