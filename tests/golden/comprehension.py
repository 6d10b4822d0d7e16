# Emitted by Myia: python -m tests.test_golden --update
# ruff: noqa
# fmt: off

def comprehension_grad(x, n):
    """d comprehension / d x  (tests/golden_programs.py:103), specialised for x: float, n: int."""
    # -- forward ---------------------------------------------------------------
    test = rt.UNBOUND                             # 103: def comprehension(x, n):
    power = rt.UNBOUND
    test_saved = []
    power_saved = []
    items = []                                    # 104: powers = [x**k for k in range(n) if k != 1]
    for k_2 in range(n):
        test_saved.append(test)
        test = k_2 != 1
        if test:
            power_saved.append(power)
            power = x ** k_2
            rt.real_power(power)
            items = rt.append(items, power)
    powers = rt.built(items)
    total = sum(powers)                           # 105: return sum(powers)
    # -- reverse ---------------------------------------------------------------
    d_items = rt.owned(rt.sum_of_items_adjoint(rt.ones_like(total), powers))  # 104: powers = [x**k for k in range(n) if k != 1]
    d_x = 0.0
    for k_2 in reversed(range(n)):
        if test:
            d_power = d_items[-1]
            d_items = rt.without_last(d_items)
            d_x = d_x + (d_power * (k_2 * x ** (k_2 - 1)) if k_2 >= 1 or x > 1 else d_power * k_2 * (power / x) if x and k_2 else d_power * k_2 * math.inf if k_2 and d_power else 0.0)
            power = power_saved.pop()
        test = test_saved.pop()
    del d_items
    return d_x
