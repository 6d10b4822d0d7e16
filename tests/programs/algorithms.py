"""Small pieces of real work: integrators, recurrent networks, optimisers, linear algebra by hand."""

import math

import numpy as np

from tests.programs.table import Program, array, matrix, positive, single, vector


def horner(coefficients, x):
    y = 0.0
    for c in reversed(coefficients):
        y = y * x + c
    return y


def logistic_map(r, x):
    for _ in range(10):
        x = r * x * (1.0 - x)
    return x


def runge_kutta(rate, y):
    def slope(v):
        return rate * v * (1.0 - v)

    h = 0.2
    for _ in range(4):
        k1 = slope(y)
        k2 = slope(y + 0.5 * h * k1)
        k3 = slope(y + 0.5 * h * k2)
        k4 = slope(y + h * k3)
        y = y + h * (k1 + 2.0 * k2 + 2.0 * k3 + k4) / 6.0
    return y


def lorenz(state, sigma, rho):
    for _ in range(5):
        x, y, z = state
        slope = np.array([sigma * (y - x), x * (rho - z) - y, x * y - 2.5 * z])
        state = state + 0.02 * slope
    return state[0] * state[2]


def leapfrog(q, p):
    h = 0.1
    for _ in range(6):
        p = p - 0.5 * h * q**3
        q = q + h * p
        p = p - 0.5 * h * q**3
    return 0.5 * p * p + 0.25 * q**4 + q


def simpson(a, b):
    n = 6
    h = (b - a) / n
    total = math.exp(-a * a) + math.exp(-b * b)
    for k in range(1, n):
        x = a + k * h
        total += (4.0 if k % 2 else 2.0) * math.exp(-x * x)
    return total * h / 3.0


def softmax_by_hand(x):
    largest = x[0]
    for v in x:
        largest = v if v > largest else largest
    exponentials = [np.exp(v - largest) for v in x]
    total = sum(exponentials)
    return exponentials[0] / total - np.log(exponentials[-1] / total)


def recurrent_network(w, u, xs):
    h = np.zeros(3)
    for t in range(len(xs)):
        h = np.tanh(w @ h + u @ xs[t])
    return (h * h).sum()


def recurrent_network_with_break(w, xs, h):
    for x in xs:
        h = np.tanh(w @ h + x)
        if h.max() > 0.85:
            break
    return h.sum()


def lstm(params, xs):
    h = c = np.zeros(2)
    loss = 0.0
    for x in xs:
        z = params["w"] @ np.concatenate([x, h]) + params["b"]
        i, f, o, g = np.split(z, 4)
        i, f, o = [1.0 / (1.0 + np.exp(-gate)) for gate in (i, f, o)]
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
        loss += (h - 0.3) @ (h - 0.3)
    return loss


def k_means_loss(points, centres):
    distances = ((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
    nearest = np.argmin(distances, axis=1)
    total = 0.0
    for k in range(len(centres)):
        mask = nearest == k
        total += np.where(mask, distances[:, k], 0.0).sum() * (k + 1)
    return total


def gradient_descent(rate, start):
    x, y = start, 1.0
    for _ in range(8):
        dx = 2.0 * x + 0.5 * y
        dy = 4.0 * y**3 + 0.5 * x
        x, y = x - rate * dx, y - rate * dy
    return x * x + y**4 + 0.5 * x * y


def momentum(rate, decay, w):
    v = np.zeros_like(w)
    for _ in range(5):
        g = 2.0 * w + np.cos(w)
        v = decay * v - rate * g
        w = w + v
    return (w * w + np.sin(w)).sum()


def power_iteration(m):
    v = np.ones(3)
    for _ in range(12):
        v = m @ v
        v = v / np.sqrt(v @ v)
    return v @ m @ v


def conjugate_gradient(a, b):
    x = np.zeros(3)
    r = b
    p = r
    rr = r @ r
    for _ in range(2):
        ap = a @ p
        alpha = rr / (p @ ap)
        x = x + alpha * p
        r = r - alpha * ap
        new = r @ r
        if new < 1e-20:
            break
        p = r + new / rr * p
        rr = new
    return x.sum() + r @ r


def cholesky_two(a, b, c):
    l11 = np.sqrt(a)
    l21 = b / l11
    l22 = np.sqrt(c - l21 * l21)
    return np.log(l11) + np.log(l22) + l21


def tridiagonal_solve(lower, diagonal, upper, right):
    n = len(diagonal)
    c, d = [upper[0] / diagonal[0]], [right[0] / diagonal[0]]
    for i in range(1, n):
        pivot = diagonal[i] - lower[i - 1] * c[i - 1]
        c = c + [upper[i] / pivot if i < n - 1 else 0.0]
        d = d + [(right[i] - lower[i - 1] * d[i - 1]) / pivot]
    x = d[-1]
    total = x
    for i in range(n - 2, -1, -1):
        x = d[i] - c[i] * x
        total = total * 0.5 + x
    return total


def cumulative_statistics(xs):
    mean, spread, n = 0.0, 0.0, 0
    for x in xs:
        n += 1
        delta = x - mean
        mean += delta / n
        spread += delta * (x - mean)
    return mean * spread / (n - 1)


def exponential_average(xs, decay):
    average = xs[0]
    total = 0.0
    for x in xs[1:]:
        average = decay * average + (1.0 - decay) * x
        if average < 0.0:
            continue
        total += average * x
    return total


def viterbi_like(scores, transitions):
    best = scores[0]
    for t in range(1, scores.shape[0]):
        best = np.max(best[:, None] + transitions, axis=0) + scores[t]
    return best.max()


def forward_algorithm(start, transition, emission, observed):
    alpha = start * emission[:, observed[0]]
    for o in observed[1:]:
        alpha = (alpha @ transition) * emission[:, o]
        alpha = alpha / alpha.sum() * 0.9
    return np.log(alpha.sum() + alpha[0])


def dynamic_time_warping(a, b):
    previous = [abs(a[0] - v) * (k + 1) for k, v in enumerate(b)]
    for u in a[1:]:
        row = [previous[0] + abs(u - b[0])]
        for j in range(1, len(b)):
            row = row + [abs(u - b[j]) + min(row[j - 1], previous[j], previous[j - 1])]
        previous = row
    return previous[-1]


def mandelbrot_like(x, y):
    a = b = 0.0
    k = 0
    while a * a + b * b < 4.0 and k < 8:
        a, b = a * a - b * b + x, 2.0 * a * b + y
        k += 1
    return a * a + b * b


def continued_fraction(x, n):
    y = x
    for k in range(n, 0, -1):
        y = k + x / y
    return y


def polynomial_division(c, r):
    quotient, carry = [], 0.0
    for v in c:
        carry = v + carry * r
        quotient = quotient + [carry]
    *quotient, remainder = quotient
    return sum(quotient) * remainder


def kalman_filter(q, r, zs):
    x, p = 0.0, 1.0
    loss = 0.0
    for z in zs:
        p = p + q
        gain = p / (p + r)
        loss += (z - x) ** 2 / (p + r) + np.log(p + r)
        x = x + gain * (z - x)
        p = (1.0 - gain) * p
    return loss


def spring_chain(x, k):
    velocity = [0.0 for _ in x]
    for _ in range(3):
        force = [0.0] + [k * (x[i + 1] - 2.0 * x[i] + x[i - 1]) for i in range(1, len(x) - 1)] + [0.0]
        velocity = [v + 0.1 * f for v, f in zip(velocity, force)]
        x = [p + 0.1 * v for p, v in zip(x, velocity)]
    return sum([v * v for v in velocity]) + x[1] * x[2]


def spline_value(knots, values, x):
    for k in range(len(knots) - 1):
        if knots[k] <= x < knots[k + 1]:
            t = (x - knots[k]) / (knots[k + 1] - knots[k])
            return values[k] * (1.0 - t) ** 2 + values[k + 1] * t * (2.0 - t)
    return values[-1]


def barrier_method(x, mu):
    for outer in range(3):
        inner = 0
        while True:
            g = 2.0 * (x - 2.0) + mu / (1.5 - x)
            h = 2.0 + mu / (1.5 - x) ** 2
            x = x - 0.5 * g / h
            inner += 1
            if inner >= 4 or x < 0.0:
                break
        mu = mu * 0.3
    return x


def minkowski_norm(x, p):
    return np.sum(np.abs(x) ** p) ** (1.0 / p)


def batch_loss_with_skips(w, batches):
    total, used = 0.0, 0
    for number, (data, labels) in enumerate(batches):
        if number == 1:
            continue
        residual = data @ w - labels
        loss = residual @ residual
        if loss > 50.0:
            return total
        total += loss / len(labels)
        used += 1
    return total / used


def moving_maximum(a, width):
    total = 0.0
    for i in range(len(a) - width + 1):
        window = a[i : i + width]
        total = total * 0.5 + window.max() * window.min()
    return total


def ray_march(position, direction, radius):
    travelled = 0.0
    for step in range(30):
        point = position + travelled * direction
        gap = np.sqrt((point * point).sum()) - radius
        if gap < 0.02:
            break
        travelled = travelled + 0.7 * gap
    else:
        return 0.0 * travelled
    return travelled


def determinant_by_minors(m):
    n = len(m)
    if n == 1:
        return m[0][0]
    total = 0.0
    for j in range(n):
        minor = [row[:j] + row[j + 1 :] for row in m[1:]]
        total += (-1) ** j * m[0][j] * determinant_by_minors(minor)
    return total


def merge_sorted(a, b):
    merged, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        if a[i] < b[j]:
            merged = merged + [a[i]]
            i += 1
        else:
            merged = merged + [b[j]]
            j += 1
    merged = merged + a[i:] + b[j:]
    return sum([k * v * v for k, v in enumerate(merged)])


def geometric_mean(xs):
    return np.exp(np.mean(np.log(xs)))


BATCHES = [(matrix(3, 2, seed), vector(3, seed)) for seed in (1, 2, 3)]

PROGRAMS = [
    Program("horner", horner, [1.3, 0.4, -0.7, 0.2], 1.1, wrt=(0, 1)),
    Program("horner_array", horner, vector(4), 1.1, wrt=(0, 1)),
    Program("horner_float32", horner, single(vector(4)), single(1.1), wrt=(0, 1)),
    Program("logistic_map", logistic_map, 2.7, 0.3, wrt=(0, 1), tolerance=1e-6),
    Program("runge_kutta", runge_kutta, 1.3, 0.4, wrt=(0, 1)),
    Program("lorenz", lorenz, vector(3), 10.0, 28.0, wrt=(0, 1, 2)),
    Program("leapfrog", leapfrog, 1.3, 0.4, wrt=(0, 1)),
    Program("simpson", simpson, 0.2, 1.3, wrt=(0, 1), analytic=False),
    Program("softmax_by_hand", softmax_by_hand, vector(4)),
    Program(
        "recurrent_network", recurrent_network, matrix(3, 3), matrix(3, 2), matrix(4, 2, 3), wrt=(0, 1, 2)
    ),
    Program(
        "recurrent_network_float32",
        recurrent_network,
        single(matrix(3, 3)),
        single(matrix(3, 2)),
        single(matrix(4, 2, 3)),
        wrt=(0, 1),
    ),
    Program(
        "recurrent_network_with_break",
        recurrent_network_with_break,
        matrix(3, 3),
        matrix(6, 3, 2),
        vector(3),
        wrt=(0, 1, 2),
    ),
    Program("lstm", lstm, {"w": matrix(8, 5), "b": vector(8)}, matrix(3, 3, 2), wrt=(0, 1)),
    Program("k_means_loss", k_means_loss, matrix(5, 2), matrix(2, 2, 3), wrt=(0, 1)),
    Program("gradient_descent", gradient_descent, 0.1, 1.3, wrt=(0, 1)),
    Program("momentum", momentum, 0.1, 0.8, vector(3), wrt=(0, 1, 2)),
    Program("power_iteration", power_iteration, positive(3, 3)),
    Program(
        "conjugate_gradient", conjugate_gradient, positive(3, 3) + 2.0 * np.eye(3), vector(3), wrt=(0, 1)
    ),
    Program("cholesky_two", cholesky_two, 1.3, 0.4, 0.9, wrt=(0, 1, 2)),
    Program(
        "tridiagonal_solve",
        tridiagonal_solve,
        vector(3),
        [4.0, 3.5, 5.0, 4.5],
        vector(3, 2),
        vector(4),
        wrt=(0, 1, 2, 3),
    ),
    Program("cumulative_statistics", cumulative_statistics, vector(5)),
    Program("cumulative_statistics_list", cumulative_statistics, [1.3, 0.4, -0.7]),
    Program("exponential_average", exponential_average, vector(6), 0.6, wrt=(0, 1)),
    Program("viterbi_like", viterbi_like, matrix(4, 3), matrix(3, 3, 2), wrt=(0, 1)),
    Program(
        "forward_algorithm",
        forward_algorithm,
        positive(2),
        positive(2, 2),
        positive(2, 3),
        [0, 2, 1, 1],
        wrt=(0, 1, 2),
    ),
    Program(
        "dynamic_time_warping",
        dynamic_time_warping,
        [1.3, 0.4, -0.7],
        [0.9, -0.15, 0.75],
        wrt=(0, 1),
        analytic=False,
    ),
    Program("mandelbrot_like", mandelbrot_like, 0.4, 0.35, wrt=(0, 1)),
    Program("continued_fraction", continued_fraction, 1.3, 6),
    Program("polynomial_division", polynomial_division, (1.3, 0.4, -0.7, 0.2), 0.9, wrt=(0, 1)),
    Program("kalman_filter", kalman_filter, 0.3, 0.5, vector(4), wrt=(0, 1, 2)),
    Program("spring_chain", spring_chain, [0.1, 1.3, 0.4, -0.7, 0.3], 1.2, wrt=(0, 1)),
    Program("spline_value", spline_value, [0.0, 1.0, 2.0], vector(3), 1.3, wrt=(0, 1, 2)),
    Program("spline_value_outside", spline_value, [0.0, 1.0, 2.0], vector(3), 5.3, wrt=(0, 1, 2)),
    Program("barrier_method", barrier_method, 0.5, 0.8, wrt=(0, 1)),
    Program("minkowski_norm", minkowski_norm, vector(4), 2.6, wrt=(0, 1), analytic=False),
    Program("batch_loss_with_skips", batch_loss_with_skips, vector(2), BATCHES, wrt=(0, 1)),
    Program("moving_maximum", moving_maximum, vector(6), 3),
    Program("ray_march", ray_march, np.array([-2.0, 0.3]), np.array([1.0, 0.1]), 0.5, wrt=(0, 1, 2)),
    Program("ray_march_misses", ray_march, np.array([-2.0, 2.0]), np.array([1.0, 1.3]), 0.5, wrt=(0, 1, 2)),
    Program(
        "determinant_by_minors", determinant_by_minors, [[1.3, 0.4, 0.1], [-0.7, 0.2, 0.9], [0.5, 1.1, 0.8]]
    ),
    Program("merge_sorted", merge_sorted, [-0.7, 0.4, 1.3], [0.1, 0.9], wrt=(0, 1)),
    Program("geometric_mean", geometric_mean, positive(4)),
    Program("geometric_mean_cube", geometric_mean, positive(2, 2, 2)),
    Program("elementwise_cube", momentum, 0.1, 0.8, array(2, 1, 3), wrt=(0, 1, 2)),
]
