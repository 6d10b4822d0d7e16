# Emitted by Myia: python -m tests.test_golden --update
# ruff: noqa
# fmt: off

def single_precision_grad(x, mean, epsilon):
    """d single_precision / d x, epsilon  (tests/golden_programs.py:125), specialised for x: float32[n, m], mean: float32[m], epsilon: float32."""
    # -- forward ---------------------------------------------------------------
    centered, power = single_precision_chain(x, mean)  # 126: centered = x - mean (one pass for lines 126 to 127)
    power_form = rt.form(centered); del centered  # 127: return np.sqrt(np.mean(centered**2) + epsilon)
    sqrt = rt.sqrt(rt.mean(power) + epsilon); del power
    # -- reverse ---------------------------------------------------------------
    d_total = rt.quotient(rt.ones_like(sqrt), 2.0 * sqrt)  # 127: return np.sqrt(np.mean(centered**2) + epsilon)
    d_centered = single_precision_chain_2(x, mean, rt.spread_mean(d_total, power_form, None, False))  # 126: centered = x - mean
    del power_form
    return (d_centered, d_total)


@rt.fused
def single_precision_chain(x, mean):
    """Elementwise: one pass over memory, where the operands are arrays of one shape and dtype."""
    centered = rt.subtract(x, mean)               # 126: centered = x - mean
    power = rt.square(centered)                   # 127: return np.sqrt(np.mean(centered**2) + epsilon)
    return (centered, power)


@rt.fused
def single_precision_chain_2(x, mean, d_power):
    """Elementwise: one pass over memory, where the operands are arrays of one shape and dtype."""
    centered_again = rt.subtract(x, mean)         # 126: centered = x - mean
    part = rt.multiply(2.0, centered_again)       # 127: return np.sqrt(np.mean(centered**2) + epsilon)
    d_centered = rt.times(d_power, part)
    return d_centered
