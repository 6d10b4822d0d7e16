# Emitted by Myia: python -m tests.test_golden --update
# ruff: noqa
# fmt: off

def single_precision_grad(x, mean, epsilon):
    """d single_precision / d x, epsilon  (tests/golden_programs.py:125), specialised for x: float32[n, m], mean: float32[m], epsilon: float32."""
    # -- forward ---------------------------------------------------------------
    sqrt = rt.sqrt(rt.mean(single_precision_chain(x, mean)) + epsilon)  # 127: return np.sqrt(np.mean(centered**2) + epsilon)
    # -- reverse ---------------------------------------------------------------
    d_total = rt.quotient(rt.ones_like(sqrt), 2.0 * sqrt)  # 127: return np.sqrt(np.mean(centered**2) + epsilon)
    d_centered = single_precision_chain_2(x, mean, rt.spread_mean(d_total, x, None, False))  # 126: centered = x - mean
    return (d_centered, d_total)


@rt.fused
def single_precision_chain(x, mean):
    """Elementwise: one pass over memory, where the operands are arrays of one shape and dtype."""
    centered = rt.subtract(x, mean)               # 126: centered = x - mean
    power = rt.square(centered)                   # 127: return np.sqrt(np.mean(centered**2) + epsilon)
    return power


@rt.fused
def single_precision_chain_2(x, mean, d_power):
    """Elementwise: one pass over memory, where the operands are arrays of one shape and dtype."""
    centered_again = rt.subtract(x, mean)         # 126: centered = x - mean
    part = rt.multiply(2.0, centered_again)       # 127: return np.sqrt(np.mean(centered**2) + epsilon)
    d_centered = rt.times(d_power, part)
    return d_centered
