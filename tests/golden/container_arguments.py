# Emitted by Myia: python -m tests.test_golden --update
# ruff: noqa
# fmt: off

def container_arguments_grad(params, x):
    """d container_arguments / d params, x  (tests/golden_programs.py:117), specialised for params: {'w': float64[2], 'layers': list[float]}, x: float64[n]."""
    # -- forward ---------------------------------------------------------------
    h_saved = []                                  # 117: def container_arguments(params, x):
    item = params['w']                            # 118: h = params["w"] @ x
    h = rt.matvec(item, x)
    item_2 = params['layers']                     # 119: for scale in params["layers"]:
    count = len(item_2)
    for k in range(count):
        scale = item_2[k]
        h_saved.append(h)                         # 120: h = np.tanh(scale * h)
        h = container_arguments_chain(scale, h)   # one pass: tanh(scale * h)
    # -- reverse ---------------------------------------------------------------
    d_h = rt.spread(1.0, h, None, False)          # 121: return h.sum()
    d_sequence = rt.zeros_like(item_2)            # 119: for scale in params["layers"]:
    for k in reversed(range(count)):
        d_product = rt.tanh_adjoint(d_h, h); del d_h  # 120: h = np.tanh(scale * h)
        h = h_saved.pop()
        scale = item_2[k]                         # 119: for scale in params["layers"]:
        d_scale = rt.unbroadcast(rt.times(d_product, h), scale)  # 120: h = np.tanh(scale * h)
        d_h = rt.times(d_product, scale, reuse=d_product); del d_product  # in place: d_product is dead
        d_sequence = rt.add_at(d_sequence, k, d_scale)  # 119: for scale in params["layers"]:
    d_params = rt.add_at(rt.zeros_like(params), 'layers', d_sequence); del d_sequence
    d_x = rt.array_dot(d_h, item); del item       # 118: h = params["w"] @ x
    d_params = rt.add_at(d_params, 'w', rt.vector_outer(d_h, x)); del d_h
    return (d_params, d_x)


@rt.fused
def container_arguments_chain(scale, h):
    """Elementwise: one pass over memory, where the operands are arrays of one shape and dtype."""
    product = rt.multiply(scale, h)               # 120: h = np.tanh(scale * h)
    h_2 = rt.tanh(product)
    return h_2
