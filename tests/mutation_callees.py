"""What drawn programs call: functions and classes, as text.

`HELPERS` maps a name to its signature and its definition. Letters of a signature: v, w own vectors of one
length, a an own array with two elements or rows at least, m an own matrix, c a number, f a list of numbers
that grows, s an object with `a` and `u`, d a dict with a number "a".
"""

HELPERS = {
    "damp": (
        "a c -> a",
        """
def damp(p, c):
    p *= c
    return p
""",
    ),
    "tail": (
        "a -> tail",
        """
def tail(p):
    return p[1:]
""",
    ),
    "reversed_view": (
        "v -> v",
        """
def reversed_view(p):
    q = p[::-1]
    q[0] = 0.5 * q[1]
    return q
""",
    ),
    "store_first": (
        "a c ->",
        """
def store_first(p, c):
    p[0] = c
""",
    ),
    "shift": (
        "v -> c",
        """
def shift(p):
    first = p[0]
    p[1:] = p[:-1] * 0.9
    return first
""",
    ),
    "mix": (
        "v w -> c",
        """
def mix(p, q):
    p[0] = p[0] + q[-1] * 0.5
    q[-1] = np.sin(p[0] * p[0])
    return p[-1] * q[0]
""",
    ),
    "cascade": (
        "v c -> v",
        """
def cascade(p, c):
    if len(p) > 1:
        p[1:] += c * p[0]
        cascade(p[1:], c * 0.5)
        p[0] *= p[1]
    return p
""",
    ),
    "choose": (
        "v w c -> v",
        """
def choose(p, q, c):
    if c > 0.1373:
        return p
    q[0] = c
    return q
""",
    ),
    "push": (
        "f c ->",
        """
def push(items, c):
    items.append(c * items[-1])
    items[0] += 0.3 * c
""",
    ),
    "sweep": (
        "v c -> c",
        """
def sweep(p, c):
    for k in range(1, len(p)):
        p[k] = p[k] + c * p[k - 1]
        if p[k] > 1.3371:
            break
        p[k - 1] = np.tanh(p[k])
    return p.sum()
""",
    ),
    "scatter": (
        "v c ->",
        """
def scatter(p, c):
    np.add.at(p, [0, -1, 0], c * p[0])
    np.multiply(p, 0.8, out=p)
""",
    ),
    "exchange": (
        "v w -> v",
        """
def exchange(p, q):
    p[0], q[1] = q[1], p[0] * 0.7
    return p[:]
""",
    ),
    "write_rows": (
        "m -> m",
        """
def write_rows(p):
    for row in p:
        row[...] = row * row * 0.5
    return p
""",
    ),
    "twice": (
        "v c -> v",
        """
def halved(p, c):
    p[::2] *= 0.5 * c
    return p[1:]


def twice(p, c):
    q = halved(p, c)
    q[0] = halved(p, p[0]).sum()
    return p
""",
    ),
    "settle": (
        "s c -> c",
        """
def settle(state, c):
    state.a = state.a * 0.5 + c
    state.u[0] = state.a
    state.u *= 0.9
    return state.a
""",
    ),
    "enter": (
        "d c -> c",
        """
def enter(table, c):
    before = table["a"]
    table["a"] = before * c + 0.1
    return before
""",
    ),
}

STATE = """
class State:
    def __init__(self, a, u):
        self.a = a
        self.u = u

    def kick(self, c):
        self.a += c
        self.u[0] = self.a * 0.5
        return self.u

    def relax(self):
        self.u = self.u * 0.7
        self.u[-1] += self.a
"""

CELL = """
@dataclass
class Cell:
    a: float
    u: np.ndarray

    def kick(self, c):
        self.u[1] *= c
        self.a = self.u[1] + self.a * 0.5
        return self.u

    def relax(self):
        self.a *= 0.5
        self.u[...] = self.u[::-1]
"""
