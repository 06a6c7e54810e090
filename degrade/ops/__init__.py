"""All operators, one file each. A file dropped in here is registered by being here.

from degrade import ops
ops.get("motion_blur"), ops.names()
"""

import importlib
import pkgutil

from degrade.registry import TABLE, Operator
from degrade.registry import lookup as get

for _module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")

__all__ = ["Operator", "get", "names"]


def names() -> list[str]:
    """Names of all operators, in alphabetical order."""
    return sorted(TABLE)
