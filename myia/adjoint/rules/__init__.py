"""The tables of derivatives: importing this package fills them."""

from myia.adjoint.rules import arith, elementwise  # noqa: F401
from myia.adjoint.rules import products  # noqa: F401
from myia.adjoint.rules import shape  # noqa: F401
from myia.adjoint.rules import construct  # noqa: F401
from myia.adjoint.rules import index  # noqa: F401
