# Emitted by Myia: python -m tests.test_golden --update
# ruff: noqa
# fmt: off

def stretched_forward(x, factor):
    """stretched, and what stretched_backward needs  (tests/golden_programs.py:85), specialised for x: float64[1], factor: float."""
    tanh = stretched_chain(x, factor)             # 86: y = x * factor (one pass: tanh(x * factor))
    return (tanh, (factor, tanh))                 # 87: return np.tanh(y)


def stretched_backward(record, d_tanh):
    """The adjoints of x in stretched  (tests/golden_programs.py:85), specialised for x: float64[1], factor: float."""
    factor, tanh = record
    d_x = stretched_chain_2(d_tanh, tanh, factor); del tanh  # 87: return np.tanh(y) (one pass: tanh_adjoint(d_tanh, tanh) * factor)
    return d_x


def user_call_pair_grad(x):
    """d user_call_pair / d x  (tests/golden_programs.py:91), specialised for x: float64[n]."""
    # -- forward ---------------------------------------------------------------
    stretched_2, stretched_2_record = stretched_forward(x, 2.0)  # 92: return np.sum(stretched(x, 2.0) * stretched(x, 3.0))
    stretched_3, stretched_3_record = stretched_forward(x, 3.0)
    product_form = rt.form(rt.multiply(stretched_2, stretched_3))
    # -- reverse ---------------------------------------------------------------
    d_product = rt.spread(1.0, product_form, None, False); del product_form  # 92: return np.sum(stretched(x, 2.0) * stretched(x, 3.0))
    d_stretched_2 = rt.unbroadcast(rt.times(d_product, stretched_3), stretched_2)
    d_x = rt.add(stretched_backward(stretched_3_record, rt.unbroadcast(rt.times(d_product, stretched_2), stretched_3)), stretched_backward(stretched_2_record, d_stretched_2))
    del d_product, d_stretched_2, stretched_2, stretched_2_record, stretched_3, stretched_3_record
    return d_x


@rt.fused
def stretched_chain(x, factor):
    """Elementwise: one pass over memory, where the operands are arrays of one shape and dtype."""
    y = rt.multiply(x, factor)                    # 86: y = x * factor
    tanh = rt.tanh(y)                             # 87: return np.tanh(y)
    return tanh


@rt.fused
def stretched_chain_2(d_tanh, tanh, factor):
    """Elementwise: one pass over memory, where the operands are arrays of one shape and dtype."""
    d_y = rt.tanh_adjoint(d_tanh, tanh)           # 87: return np.tanh(y)
    d_x = rt.times(d_y, factor)                   # 86: y = x * factor
    return d_x
