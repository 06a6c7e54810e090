"""All operators, one file each. A file dropped in here is registered by being here.

    from degrade import ops

    ops.get("motion_blur"), ops.names()

``ops.get`` also finds what records and recipes may name besides: ``published:motion_blur``, see
:mod:`degrade.published`. These are not among ``ops.names()``.
"""

import importlib
import pkgutil

from degrade import published
from degrade.registry import TABLE, Operator, lookup
from degrade.schema import PUBLISHED

for _module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")

__all__ = ["Operator", "exists", "get", "names"]


def get(name: str) -> Operator:
    """The operator of that name; spaces may stand for underscores, as in labels.

    Raises:
        UserError: There is none; the message names the nearest.
    """
    return published.get(name) if name.startswith(PUBLISHED) else lookup(name)


def exists(name: str) -> bool:
    """Whether a record of that operator can be replayed here."""
    return name in TABLE or name in published.names()


def names() -> list[str]:
    """Names of all operators, in alphabetical order; without the published formulas."""
    return sorted(TABLE)
