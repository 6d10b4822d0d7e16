# Emitted by Myia: python -m tests.test_golden --update
# ruff: noqa
# fmt: off

def while_with_break_grad(a):
    """d while_with_break / d a  (tests/golden_programs.py:52), specialised for a: float."""
    # -- forward ---------------------------------------------------------------
    quotient = rt.UNBOUND                         # 52: def while_with_break(a):
    test_2 = rt.UNBOUND
    x_saved = []
    quotient_saved = []
    test_2_saved = []
    x = a                                         # 53: x = a
    steps = 0                                     # 54: steps = 0
    steps_2 = 0                                   # 55: while steps < 50:
    while True:
        if steps < 50:
            steps_2 += 1
            quotient_saved.append(quotient)       # 56: improved = 0.5 * (x + a / x)
            quotient = a / x
            improved = 0.5 * (x + quotient)
            size = abs(improved - x)              # 57: if abs(improved - x) < 1e-12:
            test_2_saved.append(test_2)
            test_2 = size < 1e-12
            if test_2:
                break                             # 58: break
            else:
                x_saved.append(x)                 # 59: x = improved
                x = improved
                steps = steps + 1                 # 60: steps += 1
        else:
            break                                 # 55: while steps < 50:
    # -- reverse ---------------------------------------------------------------
    d_x = 1.0                                     # 61: return x
    d_a = 0.0                                     # 55: while steps < 50:
    for _ in range(steps_2):
        if test_2:                                # 57: if abs(improved - x) < 1e-12:
            d_improved = 0.0
        else:
            d_improved = d_x                      # 59: x = improved
            x = x_saved.pop()
            d_x = 0.0                             # 57: if abs(improved - x) < 1e-12:
        test_2 = test_2_saved.pop()
        d_total = d_improved * 0.5                # 56: improved = 0.5 * (x + a / x)
        d_x = d_x + d_total
        d_a = d_a + (d_total / x if d_total else 0.0)
        d_x = d_x - (d_total * quotient / x if d_total else 0.0)
        quotient = quotient_saved.pop()
    d_a = d_a + d_x                               # 53: x = a
    return d_a
