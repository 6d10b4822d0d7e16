# Emitted by Myia: python -m tests.test_golden --update
# ruff: noqa
# fmt: off

def loop_with_saves_grad(x, n):
    """d loop_with_saves / d x  (tests/golden_programs.py:44), specialised for x: float, n: int."""
    # -- forward ---------------------------------------------------------------
    y_saved = []                                  # 44: def loop_with_saves(x, n):
    y = x                                         # 45: y = x
    for k in range(n):                            # 46: for k in range(n):
        product = y * y                           # 47: y = y * y + k * x
        product_2 = k * x
        y_saved.append(y)
        y = product + product_2
    # -- reverse ---------------------------------------------------------------
    d_y = 1.0                                     # 48: return y
    d_x = 0.0                                     # 46: for k in range(n):
    for k in reversed(range(n)):
        d_product = d_y                           # 47: y = y * y + k * x
        y = y_saved.pop()
        d_x = d_x + d_y * k
        d_y = d_y * y + d_product * y
    d_x = d_x + d_y                               # 45: y = x
    return d_x
