# Emitted by Myia: python -m tests.test_golden --update
# ruff: noqa
# fmt: off

def scalar_function_grad(x, y):
    """d scalar_function / d x, y  (tests/golden_programs.py:27), specialised for x: float, y: float."""
    # -- forward ---------------------------------------------------------------
    sin = math.sin(x)                             # 28: z = math.sin(x) * y
    z = sin * y
    product = z * z                               # 29: return z * z + x / y
    quotient = x / y
    total = product + quotient
    # -- reverse ---------------------------------------------------------------
    d_total = 1.0                                 # 29: return z * z + x / y
    d_x = d_total / y
    d_y = -(d_total * quotient / y)
    d_z = d_total * z + d_total * z
    d_y = d_y + d_z * sin                         # 28: z = math.sin(x) * y
    d_x = d_x + d_z * y * math.cos(x)
    return (d_x, d_y)
