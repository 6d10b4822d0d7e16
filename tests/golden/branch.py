# Emitted by Myia: python -m tests.test_golden --update
# ruff: noqa
# fmt: off

def branch_grad(x):
    """d branch / d x  (tests/golden_programs.py:33), specialised for x: float."""
    # -- forward ---------------------------------------------------------------
    test = x > 1.0                                # 34: if x > 1.0:
    if test:
        y = x * x                                 # 35: y = x * x
    else:
        test_2 = x > 0.0                          # 36: elif x > 0.0:
        if test_2:
            y = math.exp(x)                       # 37: y = math.exp(x)
        else:
            y = -x                                # 39: y = -x
    product = 3.0 * y                             # 40: return 3.0 * y
    # -- reverse ---------------------------------------------------------------
    d_y = 1.0 * 3.0                               # 40: return 3.0 * y
    if test:                                      # 34: if x > 1.0:
        d_x = d_y * x + d_y * x                   # 35: y = x * x
    elif test_2:                                  # 36: elif x > 0.0:
        d_x = d_y * y                             # 37: y = math.exp(x)
    else:
        d_x = -d_y                                # 39: y = -x
    return d_x
