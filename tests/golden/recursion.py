# Emitted by Myia: python -m tests.test_golden --update
# ruff: noqa
# fmt: off

def recursion_forward(x, n):
    """recursion, and what recursion_backward needs  (tests/golden_programs.py:96), specialised for x: float, n: int."""
    recursion_2 = rt.UNBOUND                      # 96: def recursion(x, n):
    recursion_2_record = rt.UNBOUND
    test = n == 0                                 # 97: if n == 0:
    if test:
        result = 1.0                              # 98: return 1.0
    else:
        difference = n - 1                        # 99: return x * recursion(x, n - 1)
        recursion_2, recursion_2_record = recursion_forward(x, difference)
        result = x * recursion_2
    return (result, (recursion_2, recursion_2_record, test, x))


def recursion_backward(record, d_result):
    """The adjoints of x in recursion  (tests/golden_programs.py:96), specialised for x: float, n: int."""
    recursion_2, recursion_2_record, test, x = record
    if test:                                      # 97: if n == 0:
        d_x = 0.0
    else:
        d_x = (d_result * recursion_2 if d_result else 0.0) + recursion_backward(recursion_2_record, d_result * x if d_result else 0.0)  # 99: return x * recursion(x, n - 1)
        del recursion_2_record
    return d_x


def recursion_grad(x, n):
    """d recursion / d x  (tests/golden_programs.py:96), specialised for x: float, n: int."""
    # -- forward ---------------------------------------------------------------
    test = n == 0                                 # 97: if n == 0:
    if test:
        pass
    else:
        difference = n - 1                        # 99: return x * recursion(x, n - 1)
        recursion_2, recursion_2_record = recursion_forward(x, difference)
        result = x * recursion_2
    # -- reverse ---------------------------------------------------------------
    d_result = 1.0                                # 99: return x * recursion(x, n - 1)
    if test:                                      # 97: if n == 0:
        d_x = 0.0
    else:
        d_x = d_result * recursion_2 + recursion_backward(recursion_2_record, d_result * x)  # 99: return x * recursion(x, n - 1)
        del recursion_2_record
    return d_x
