# Emitted by Myia: python -m tests.test_golden --update
# ruff: noqa
# fmt: off

def single_precision_grad(x, mean, epsilon):
    """d single_precision / d x, epsilon  (tests/golden_programs.py:125), specialised for x: float32[2], mean: float32[1], epsilon: float32."""
    # -- forward ---------------------------------------------------------------
    centered = rt.subtract(x, mean)               # 126: centered = x - mean
    power = rt.square(centered)                   # 127: return np.sqrt(np.mean(centered**2) + epsilon)
    power_form = rt.form(power)
    sqrt = rt.sqrt(rt.mean(power) + epsilon); del power
    # -- reverse ---------------------------------------------------------------
    d_total = rt.quotient(rt.ones_like(sqrt), 2.0 * sqrt)  # 127: return np.sqrt(np.mean(centered**2) + epsilon)
    d_power = rt.spread_mean(d_total, power_form, None, False); del power_form
    part = rt.multiply(2.0, centered, reuse=centered); del centered  # in place: centered is dead
    d_x = rt.unbroadcast(rt.times(d_power, part, reuse=part), x); del d_power, part  # 126: centered = x - mean
    return (d_x, d_total)
