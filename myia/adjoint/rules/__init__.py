"""The tables of derivatives: importing this package fills them."""

from myia.adjoint.rules import (  # noqa: F401
    arith,
    elementwise,
    inactive,
    methods,
    reduce,
    scalar_math,
)
from myia.adjoint.rules import products  # noqa: F401
from myia.adjoint.rules import shape  # noqa: F401
from myia.adjoint.rules import construct  # noqa: F401
from myia.adjoint.rules import index  # noqa: F401
from myia.adjoint.rules import linalg  # noqa: F401
from myia.adjoint.rules import sort  # noqa: F401
from myia.adjoint.rules import containers  # noqa: F401
