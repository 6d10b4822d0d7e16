"""A function for the doctests of the parser."""

import math


def example(x: float) -> float:
    return math.sin(x) * x + 1
