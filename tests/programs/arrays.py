"""NumPy programs: functions, methods and operators; broadcasting, indexing, products, float32."""

import numpy as np

from tests.programs.table import Program, array, matrix, positive, single, vector


def tangent_wrong_broadcast(a):
    return np.sum(a ** np.array([1, 2, 3]))


def scalar_against_array(s, a):
    return (s * a + a / s - s**2 * a).sum() + (s - a).prod()


def elementwise_chain(x):
    return np.sum(np.tanh(np.sin(x) * np.exp(-x)) / (1.0 + x**2))


def elementwise_many(x):
    y = np.log(x) + np.sqrt(x) + np.cbrt(x) + np.log1p(x) - np.expm1(x) + np.arctan(x) + np.square(x)
    return (y * np.cosh(x) - np.reciprocal(x) + np.hypot(x, 2.0) + np.exp2(x) + np.log10(x)).sum()


def unary_and_augmented(x):
    y = -x
    z = +y * x
    w = z.sum()
    w += y.mean()
    w *= 2.0
    return w


def outer_broadcast(x, y):
    return (x[:, None] * y[None, :] + x[:, None]).sum() * (x.reshape(-1, 1) - y).prod()


def broadcast_row_and_column(m, row, column):
    return np.sum((m + row) * column - m / (row * row))


def broadcast_size_one(x, y):
    return (x * y).sum() + (y - x).mean()


def sum_axes(m):
    columns = m.sum(axis=0)
    rows = np.sum(m, 1, keepdims=True)
    return (columns * columns).sum() + (rows * m).sum() + np.sum(m, axis=(0, 1)) + m.sum(-1)[0]


def mean_var_std(m):
    centred = m - m.mean(axis=0)
    return (centred**2).sum() + np.var(m, axis=1).sum() * np.std(m) + m.std(axis=0, ddof=1).sum() + np.mean(m)


def max_min(m):
    return m.max() * np.min(m) + np.max(m, axis=0).sum() - m.min(axis=1, keepdims=True).prod()


def product(x):
    return x.prod() + np.prod(x[1:])


def cumulative(x):
    return (np.cumsum(x) * x.cumprod()).sum()


def log_sum_exp(x):
    largest = np.max(x)
    return largest + np.log(np.sum(np.exp(x - largest)))


def softmax_cross_entropy(logits, target):
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -np.mean(logs[np.arange(len(target)), target])


def where_chooses(x, y):
    return np.where(x > y, x * y, x - y).sum()


def where_hides_nan(x):
    safe = np.where(x > 0.0, x, 1.0)
    return np.where(x > 0.0, np.log(safe), 0.0).sum()


def where_nan_untaken(x):
    with_nan = np.array([np.nan, 1.0, np.nan])
    return np.where(np.isnan(with_nan), x * x, x * with_nan).sum()


def relu_maximum(x):
    return np.maximum(x, 0.0).sum() + np.minimum(x, 0.3).prod() + np.clip(x, -0.5, 0.5).sum()


def absolute(x):
    return np.abs(x).sum() * abs(x).max() + np.sum(np.sign(x) * x)


def index_elements(m):
    return m[0, 1] * m[-1, 0] + m[1][1] ** 2


def index_slices(m):
    return (m[1:, :-1] * m[:-1, 1:]).sum() + m[::-1, 0].prod() + m[:, ::2].sum()


def index_newaxis_ellipsis(m):
    return (m[..., None] * m[:, None, :]).sum() + m[..., -1].prod() + (m[None, ...] ** 2).mean()


def index_integer_arrays(x):
    repeated = x[np.array([0, 2, 2, 0, 1])]
    return (repeated * np.arange(5.0)).sum() + x[[1, 1]].prod()


def index_pairs(m):
    return (m[np.array([0, 1, 1]), np.array([1, 0, 0])] ** 2).sum() + m[[0, 0]].sum()


def index_mask(x):
    return (x[x > 0.0] ** 2).sum() + x[np.array([True, False, True, False])].prod()


def index_by_argmax(m):
    best = m.argmax(axis=1)
    return m[np.arange(m.shape[0]), best].sum() * m[:, np.argmin(m[0])].sum()


def index_in_loop(x):
    y = 0.0
    for k in range(1, len(x) - 1):
        y += (x[k - 1] - 2.0 * x[k] + x[k + 1]) ** 2
    return y


def stencil_slices(u):
    lap = u[1:-1, :-2] + u[1:-1, 2:] + u[:-2, 1:-1] + u[2:, 1:-1] - 4.0 * u[1:-1, 1:-1]
    return (lap * lap).sum()


def reshape_transpose(m):
    flat = m.reshape(-1)
    turned = m.T.reshape(2, -1)
    return (flat[:4] * turned.ravel()[2:6]).sum() + m.transpose().flatten()[1] * np.reshape(m, (3, 2))[2, 1]


def axes_moved(a):
    moved = np.moveaxis(a, 0, -1) * np.swapaxes(np.transpose(a, (1, 2, 0)), 0, 0)
    return moved.sum() + np.squeeze(np.expand_dims(a, 1), axis=1)[0].prod()


def joined(x, y):
    long = np.concatenate([x, y, x * 2.0])
    tall = np.stack((x, y), axis=1)
    return (long * np.arange(len(long))).sum() + (np.vstack([x, y]) @ tall).sum() + np.hstack([x, y]).prod()


def split_up(x):
    first, second = np.split(x, 2)
    a, b = np.split(x, [1])
    return first @ second + a.sum() * b.prod()


def repeated(x):
    return (np.tile(x, 2) * np.repeat(x, 2)).sum() + np.roll(x, 1) @ x + np.flip(x) @ x


def padded(x):
    wide = np.pad(x, 1)
    return (wide[:-2] * wide[1:-1] + wide[2:] ** 2).sum()


def broadcast_explicitly(x):
    return (np.broadcast_to(x, (2, 3)) * np.arange(6.0).reshape(2, 3)).sum()


def matrix_products(a, b, v):
    return (a @ b @ v).sum() + np.dot(v, a @ v) + np.matmul(a, b)[0, 0] + a.dot(v)[1]


def vector_products(x, y):
    return np.dot(x, y) * np.inner(x, x) + np.outer(x, y).sum() + np.vdot(y, y) + x @ y


def batched_product(a, b):
    return (np.matmul(a, b) ** 2).sum() + (a @ b[0]).prod()


def einsum_forms(a, b):
    return np.einsum("ij,jk->ik", a, b).sum() + np.einsum("ij,ij->", a, a) + np.einsum("ii", b @ a)


def tensor_products(a, b):
    return np.tensordot(a, b, axes=1).sum() + np.kron(a, b).mean() + np.tensordot(a, a, axes=2)


def traces_and_triangles(m):
    return np.trace(m @ m) + np.diag(m).prod() + np.tril(m).sum() * np.triu(m, 1).sum()


def norms(x, m):
    return np.linalg.norm(x) + np.linalg.norm(m) + np.linalg.norm(m, axis=1).sum()


def sorted_values(x):
    return (np.sort(x) * np.arange(len(x))).sum() + x[np.argsort(x)[0]] ** 2


def zeros_like_and_friends(x):
    y = np.zeros_like(x) + np.ones(x.shape) * x
    z = np.full(3, 2.0) * y + np.linspace(0.0, 1.0, 3) + np.eye(3)[0] + np.empty_like(x) * 0.0
    return (z * np.arange(x.size)).sum()


def shapes_and_sizes(m):
    rows, columns = m.shape
    return m.sum() * rows / columns + m[0, 0] * m.size * m.ndim * len(m) + (m.dtype == np.float64) * m[0, 1]


def logistic_loss(w, data, labels):
    p = 1.0 / (1.0 + np.exp(-data @ w))
    return -np.mean(labels * np.log(p) + (1.0 - labels) * np.log(1.0 - p)) + 0.1 * np.sum(w * w)


def two_layers(params, x):
    h = np.tanh(x @ params["w1"] + params["b1"])
    y = h @ params["w2"] + params["b2"]
    return ((y - 0.5) ** 2).mean()


def layer_norm(x, gain, bias):
    mean = x.mean(axis=-1, keepdims=True)
    var = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
    return np.sum(((x - mean) / np.sqrt(var + 1e-5) * gain + bias) ** 3)


def attention(q, k, v):
    scores = q @ k.T / np.sqrt(q.shape[-1])
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = weights / weights.sum(axis=-1, keepdims=True)
    return (weights @ v).sum() ** 2


def pairwise_distances(x):
    gaps = x[:, None, :] - x[None, :, :]
    return np.exp(-(gaps**2).sum(axis=-1)).sum()


def convolution_by_slices(x, kernel):
    y = 0.0
    for k in range(len(kernel)):
        y = y + kernel[k] * x[k : len(x) - len(kernel) + k + 1]
    return (y * y).sum()


def methods(x):
    return x.sum() * x.mean() + x.prod() + x.max() - x.min() + x.std() + x.dot(x) + x.clip(-0.5, 0.5).sum()


def methods_with_arguments(m):
    return (
        (m.sum(axis=0) * m.mean(0)).sum()
        + m.reshape(3, 2).T.sum(axis=1, keepdims=True)[0, 0]
        + m.swapaxes(0, 1)[0, 1]
    )


def item_and_float(x):
    return x[0].item() * float(x[1]) + x.sum()


def astype_inside(x):
    low = x.astype(np.float32)
    return (low * low).sum()


def astype_up(x):
    return (x.astype(np.float64) * 2.0).sum()


def float32_stays(x):
    y = x * 2 + 1.5
    return (y * y / 3).sum() + np.mean(np.sqrt(y + 4.0))


def float32_meets_float64(x, y):
    return (x * y).sum()


def integers_inside(x, n):
    return (x * n + x ** np.array([2, 3, 1])).sum() + (n // 2 * x).sum()


def zero_dimensional(x, y):
    return x * y.sum() + x**2


def function_of_shape(x, y):
    if x.ndim == 1:
        x = x[:, None]
    return (x * y).sum() / x.shape[0]


def sum_of_array_builtin(x):
    return sum(x) * sum([v * v for v in x]) + max(x) - min(x)


def matmul_operator_vectors(x, m):
    return x @ m @ x + (m @ x)[0] + (x @ m)[1]


def logaddexp_sinc(x, y):
    return np.logaddexp(x, y).sum() + np.sinc(x).sum() + np.arctan2(x, y).prod()


def unused_array_argument(x, y):
    return x.sum()


def zero_size(x):
    return (x * x).sum() + 3.0


def constant_array_result(x):
    return np.ones(3).sum()


PROGRAMS = [
    Program("tangent_wrong_broadcast", tangent_wrong_broadcast, 1.3),
    Program("scalar_against_array", scalar_against_array, 1.3, vector(3), wrt=(0, 1)),
    Program("scalar_against_array_float32", scalar_against_array, single(1.3), single(vector(3)), wrt=(0, 1)),
    Program("elementwise_chain", elementwise_chain, vector(4)),
    Program("elementwise_chain_matrix", elementwise_chain, matrix(2, 3)),
    Program("elementwise_chain_float32", elementwise_chain, single(vector(4))),
    Program("elementwise_chain_transposed", elementwise_chain, matrix(2, 3).T),
    Program("elementwise_chain_reversed", elementwise_chain, vector(6)[::-2]),
    Program("elementwise_many", elementwise_many, positive(4), analytic=False),
    Program("unary_and_augmented", unary_and_augmented, vector(3)),
    Program("outer_broadcast", outer_broadcast, vector(2), vector(3, 2), wrt=(0, 1)),
    Program(
        "broadcast_row_and_column",
        broadcast_row_and_column,
        matrix(2, 3),
        vector(3),
        array(2, 1),
        wrt=(0, 1, 2),
    ),
    Program("broadcast_size_one", broadcast_size_one, array(1, 3), array(2, 1), wrt=(0, 1)),
    Program("broadcast_size_one_vector", broadcast_size_one, array(1), array(2, 3), wrt=(0, 1)),
    Program("sum_axes", sum_axes, matrix(2, 3)),
    Program("mean_var_std", mean_var_std, matrix(2, 3), analytic=False),
    Program("mean_var_std_float32", mean_var_std, single(matrix(3, 3)), analytic=False),
    Program("max_min", max_min, matrix(2, 3)),
    Program("product", product, vector(4)),
    Program("cumulative", cumulative, vector(4)),
    Program("log_sum_exp", log_sum_exp, vector(4)),
    Program("softmax_cross_entropy", softmax_cross_entropy, matrix(3, 4), np.array([1, 0, 3])),
    Program(
        "softmax_cross_entropy_float32", softmax_cross_entropy, single(matrix(3, 4)), np.array([1, 0, 3])
    ),
    Program("where_chooses", where_chooses, vector(4), vector(4, 2), wrt=(0, 1)),
    Program("where_hides_nan", where_hides_nan, vector(4)),
    Program("where_nan_untaken", where_nan_untaken, vector(3)),
    Program("relu_maximum", relu_maximum, vector(4), analytic=False),
    Program("absolute", absolute, vector(4), analytic=False),
    Program("index_elements", index_elements, matrix(2, 2)),
    Program("index_slices", index_slices, matrix(3, 3)),
    Program("index_newaxis_ellipsis", index_newaxis_ellipsis, matrix(2, 3)),
    Program("index_integer_arrays", index_integer_arrays, vector(3)),
    Program("index_pairs", index_pairs, matrix(2, 2)),
    Program("index_mask", index_mask, vector(4)),
    Program("index_by_argmax", index_by_argmax, matrix(2, 3)),
    Program("index_in_loop", index_in_loop, vector(5)),
    Program("stencil_slices", stencil_slices, matrix(4, 5)),
    Program("stencil_slices_float32", stencil_slices, single(matrix(4, 5))),
    Program("reshape_transpose", reshape_transpose, matrix(2, 3)),
    Program("axes_moved", axes_moved, array(2, 3, 4)),
    Program("joined", joined, vector(3), vector(3, 2), wrt=(0, 1)),
    Program("split_up", split_up, vector(4)),
    Program("repeated", repeated, vector(3)),
    Program("padded", padded, vector(3)),
    Program("broadcast_explicitly", broadcast_explicitly, vector(3)),
    Program("matrix_products", matrix_products, matrix(3, 3), matrix(3, 3, 2), vector(3), wrt=(0, 1, 2)),
    Program(
        "matrix_products_float32",
        matrix_products,
        single(matrix(3, 3)),
        single(matrix(3, 3, 2)),
        single(vector(3)),
        wrt=(0, 1, 2),
    ),
    Program("vector_products", vector_products, vector(3), vector(3, 2), wrt=(0, 1), analytic=False),
    Program("batched_product", batched_product, array(2, 2, 3), array(2, 3, 2), wrt=(0, 1)),
    Program("einsum_forms", einsum_forms, matrix(2, 3), matrix(3, 2), wrt=(0, 1)),
    Program("tensor_products", tensor_products, matrix(2, 3), matrix(3, 2), wrt=(0, 1)),
    Program("traces_and_triangles", traces_and_triangles, matrix(3, 3)),
    Program("norms", norms, vector(3), matrix(2, 3), wrt=(0, 1), analytic=False),
    Program("sorted_values", sorted_values, vector(5)),
    Program("zeros_like_and_friends", zeros_like_and_friends, vector(3)),
    Program("shapes_and_sizes", shapes_and_sizes, matrix(2, 3), analytic=False),
    Program("logistic_loss", logistic_loss, vector(3), matrix(4, 3), np.array([1, 0, 0, 1])),
    Program(
        "two_layers",
        two_layers,
        {"w1": matrix(3, 4), "b1": vector(4), "w2": matrix(4, 2), "b2": vector(2)},
        matrix(5, 3, 2),
    ),
    Program(
        "two_layers_float32",
        two_layers,
        {
            "w1": single(matrix(3, 4)),
            "b1": single(vector(4)),
            "w2": single(matrix(4, 2)),
            "b2": single(vector(2)),
        },
        single(matrix(5, 3, 2)),
        wrt=(0, 1),
    ),
    Program("layer_norm", layer_norm, matrix(2, 4), vector(4, 2), vector(4, 3), wrt=(0, 1, 2)),
    Program("attention", attention, matrix(3, 2), matrix(4, 2, 2), matrix(4, 2, 3), wrt=(0, 1, 2)),
    Program("pairwise_distances", pairwise_distances, matrix(3, 2)),
    Program("convolution_by_slices", convolution_by_slices, vector(6), vector(3), wrt=(0, 1)),
    Program("methods", methods, vector(4), analytic=False),
    Program("methods_with_arguments", methods_with_arguments, matrix(2, 3)),
    Program("item_and_float", item_and_float, vector(3), analytic=False),
    Program("astype_inside", astype_inside, vector(3), analytic=False, tolerance=1e-4, step=60.0),
    Program("astype_up", astype_up, single(vector(3)), analytic=False),
    Program("float32_stays", float32_stays, single(vector(4))),
    Program("float32_meets_float64", float32_meets_float64, single(vector(3)), vector(3), wrt=(0, 1)),
    Program("integers_inside", integers_inside, vector(3), np.array([1, 2, 3])),
    Program("zero_dimensional", zero_dimensional, np.array(1.3), vector(3), wrt=(0, 1)),
    Program(
        "zero_dimensional_float32", zero_dimensional, single(np.array(1.3)), single(vector(3)), wrt=(0, 1)
    ),
    Program("function_of_shape", function_of_shape, vector(2), vector(3), wrt=(0, 1)),
    Program("function_of_shape_matrix", function_of_shape, matrix(2, 3), vector(3), wrt=(0, 1)),
    Program("sum_of_array_builtin", sum_of_array_builtin, vector(4)),
    Program("matmul_operator_vectors", matmul_operator_vectors, vector(3), matrix(3, 3), wrt=(0, 1)),
    Program("logaddexp_sinc", logaddexp_sinc, vector(3), vector(3, 2), wrt=(0, 1), analytic=False),
    Program("unused_array_argument", unused_array_argument, vector(3), matrix(2, 2), wrt=(0, 1)),
    Program("zero_size", zero_size, np.zeros((0, 3))),
    Program("constant_array_result", constant_array_result, single(vector(3))),
]
