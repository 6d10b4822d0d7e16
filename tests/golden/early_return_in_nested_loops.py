# Emitted by Myia: python -m tests.test_golden --update
# ruff: noqa
# fmt: off

def early_return_in_nested_loops_grad(x, rows):
    """d early_return_in_nested_loops / d x  (tests/golden_programs.py:75), specialised for x: float, rows: list[list[float]]."""
    # -- forward ---------------------------------------------------------------
    item = rt.UNBOUND                             # 75: def early_return_in_nested_loops(x, rows):
    test = rt.UNBOUND
    count_2 = rt.UNBOUND
    steps = rt.UNBOUND
    item_saved = []
    test_saved = []
    count_2_saved = []
    steps_saved = []
    total_saved = []
    total = 0.0                                   # 76: total = 0.0
    returned = False                              # 77: for row in rows:
    count = len(rows)
    steps_2 = 0
    for k in range(count):
        steps_2 += 1
        row = rows[k]
        returned = False                          # 78: for item in row:
        count_2_saved.append(count_2)
        count_2 = len(row)
        steps_saved.append(steps)
        steps = 0
        for k_2 in range(count_2):
            steps += 1
            item_saved.append(item)
            item = row[k_2]
            product = x * item                    # 79: total = total + x * item
            total_saved.append(total)
            total = total + product
            test_saved.append(test)               # 80: if total > 2.0:
            test = total > 2.0
            if test:
                result = total * x                # 81: return total * x
                returned = True
                break
        if returned:                              # 78: for item in row:
            break
    test_3 = returned                             # 77: for row in rows:
    if test_3:
        pass
    # -- reverse ---------------------------------------------------------------
    d_result = 1.0                                # 82: return total
    if test_3:                                    # 77: for row in rows:
        d_total = 0.0
    else:
        d_total = d_result                        # 82: return total
        d_result = 0.0                            # 77: for row in rows:
    d_x = 0.0
    for _ in range(steps_2):
        for _ in range(steps):                    # 78: for item in row:
            if test:                              # 80: if total > 2.0:
                d_x = d_x + (d_result * total if d_result else 0.0)  # 81: return total * x
                d_total = d_total + (d_result * x if d_result else 0.0)
                d_result = 0.0                    # 80: if total > 2.0:
            test = test_saved.pop()
            total = total_saved.pop()             # 79: total = total + x * item
            d_x = d_x + (d_total * item if d_total else 0.0)
            item = item_saved.pop()               # 78: for item in row:
        steps = steps_saved.pop()
        count_2 = count_2_saved.pop()
    return d_x
