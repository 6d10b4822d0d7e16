"""The runtime facade: what emitted code and derivative rules call as `rt.*`.

It calls NumPy; the native runtime will take its place underneath, under the same names.
"""

from myia.runtime.adjoints import *  # noqa: F403
from myia.runtime.construct import *  # noqa: F403
from myia.runtime.containers import *  # noqa: F403
from myia.runtime.dynamic import *  # noqa: F403
from myia.runtime.elementwise import *  # noqa: F403
from myia.runtime.inactive import *  # noqa: F403
from myia.runtime.index import *  # noqa: F403
from myia.runtime.linalg import *  # noqa: F403
from myia.runtime.products import *  # noqa: F403
from myia.runtime.reduce import *  # noqa: F403
from myia.runtime.shaping import *  # noqa: F403
from myia.runtime.sort import *  # noqa: F403
