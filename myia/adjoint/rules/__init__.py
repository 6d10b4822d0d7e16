"""The tables of derivatives: importing this package fills them."""

from myia.adjoint.rules import (  # noqa: F401
    arith,
    construct,
    containers,
    elementwise,
    inactive,
    index,
    linalg,
    methods,
    products,
    reduce,
    scalar_math,
    shape,
    sort,
)
