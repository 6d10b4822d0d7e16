# Emitted by Myia: python -m tests.test_golden --update
# ruff: noqa
# fmt: off

def rnn_grad(w, u, b, inputs):
    """d rnn / d w, u, b  (tests/golden_programs.py:65), specialised for w: float64[n, n], u: float64[n, m], b: float64[n], inputs: float64[k, m]."""
    # -- forward ---------------------------------------------------------------
    h_saved = []                                  # 65: def rnn(w, u, b, inputs):
    h = rt.zeros(3)                               # 66: h = np.zeros(3)
    loss = 0.0                                    # 67: loss = 0.0
    count = len(inputs)                           # 68: for x in inputs:
    for k in range(count):
        x = inputs[k]
        product = rt.matvec(w, h)                 # 69: h = np.tanh(w @ h + u @ x + b)
        product_2 = rt.matvec(u, x); del x
        h_saved.append(h)
        h, total_3 = rnn_chain(product, product_2, b, reuse=(product, product_2))  # one pass for lines 69 to 70
        del product, product_2
        loss = loss + total_3                     # 70: loss = loss + np.sum(h * h)
    # -- reverse ---------------------------------------------------------------
    d_loss = rt.ones_like(loss)                   # 71: return loss
    d_w = rt.zeros_like(w)                        # 68: for x in inputs:
    d_u = rt.zeros_like(u)
    d_b = rt.zeros_like(b)
    d_h = rt.zeros_like(h)
    d_u_outer = rt.OuterSum(d_u)
    d_w_outer = rt.OuterSum(d_w)
    for k in reversed(range(count)):
        d_total = rnn_chain_2(rt.spread(d_loss, b, None, False), h, d_h, reuse=(d_h,)); del d_h  # 70: loss = loss + np.sum(h * h)
        h = h_saved.pop()                         # 69: h = np.tanh(w @ h + u @ x + b)
        d_b += d_total
        x = inputs[k]                             # 68: for x in inputs:
        d_u_outer.add(d_total, x); del x          # 69: h = np.tanh(w @ h + u @ x + b)
        d_w_outer.add(d_total, h)
        d_h = rt.array_dot(d_total, w); del d_total
    d_u_outer.finish(); del d_u_outer             # 68: for x in inputs:
    d_w_outer.finish(); del d_w_outer
    return (d_w, d_u, d_b)


@rt.fused
def rnn_chain(product, product_2, b):
    """Elementwise: one pass over memory, where the operands are arrays of one shape and dtype."""
    total_2 = rt.add(product, product_2)          # 69: h = np.tanh(w @ h + u @ x + b)
    total = rt.add(total_2, b)
    h = rt.tanh(total)
    product_3 = rt.multiply(h, h)                 # 70: loss = loss + np.sum(h * h)
    total_3 = rt.sum(product_3)
    return (h, total_3)


@rt.fused
def rnn_chain_2(d_product_3, h, d_h):
    """Elementwise: one pass over memory, where the operands are arrays of one shape and dtype."""
    part = rt.times(d_product_3, h)               # 70: loss = loss + np.sum(h * h)
    d_h_2 = rt.add(d_h, part)
    d_h_3 = rt.add(d_h_2, part)
    d_total = rt.tanh_adjoint(d_h_3, h)           # 69: h = np.tanh(w @ h + u @ x + b)
    return d_total
