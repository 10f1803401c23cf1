"""torchvision, also where its compiled operators do not load.

PyPI's torchvision is built for the CUDA build of torch. Beside the CPU build its library does not load, and then
it fails at import, when it registers the shapes of operators that are not there. We use its data sets,
transforms and models, which need none of them.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

_SHAPES = "torchvision._meta_registrations"


def torchvision() -> ModuleType:
    """The package, imported now.

    Raises
    ------
    ModuleNotFoundError
        where it is not installed.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    sys.modules[_SHAPES] = ModuleType(_SHAPES)
    return importlib.import_module("torchvision")
