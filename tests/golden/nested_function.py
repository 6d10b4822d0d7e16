# Emitted by Myia: python -m tests.test_golden --update
# ruff: noqa
# fmt: off

def scaled_forward(scale, v):
    """scaled, and what scaled_backward needs  (tests/golden_programs.py:110), specialised for scale: float, v: float."""
    product_2 = scale * v                         # 111: return scale * v * v
    product = product_2 * v
    return (product, (product_2, scale, v))


def scaled_backward(record, d_product):
    """The adjoints of scale, v in scaled  (tests/golden_programs.py:110), specialised for scale: float, v: float."""
    product_2, scale, v = record
    d_v = d_product * product_2 if d_product else 0.0  # 111: return scale * v * v
    d_product_2 = d_product * v if d_product else 0.0
    d_scale = d_product_2 * v if d_product_2 else 0.0
    d_v = d_v + (d_product_2 * scale if d_product_2 else 0.0)
    return (d_scale, d_v)


def nested_function_grad(x, scale):
    """d nested_function / d x, scale  (tests/golden_programs.py:109), specialised for x: float, scale: float."""
    # -- forward ---------------------------------------------------------------
    def scaled(v):                                # 110: def scaled(v):
        product_2 = scale * v                     # 111: return scale * v * v
        product = product_2 * v
        return product
    scaled_2, scaled_2_record = scaled_forward(scale, x)  # 113: return scaled(x) + scaled(x + 1.0)
    total_2 = x + 1.0
    scaled_3, scaled_3_record = scaled_forward(scale, total_2)
    total = scaled_2 + scaled_3
    # -- reverse ---------------------------------------------------------------
    d_total = 1.0                                 # 113: return scaled(x) + scaled(x + 1.0)
    parts = scaled_backward(scaled_3_record, d_total); del scaled_3_record
    d_scale = parts[0]
    d_total_2 = parts[1]; del parts
    parts_2 = scaled_backward(scaled_2_record, d_total); del scaled_2_record
    d_scale = d_scale + parts_2[0]
    d_x = d_total_2 + parts_2[1]; del parts_2
    return (d_x, d_scale)
