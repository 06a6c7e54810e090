"""Where pictures and questions come from: one kind of source per file.

A file dropped in here that subclasses :class:`~builders.sources.base.SourceSpec` is registered.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from builders.sources.base import Item, Mapped, SourceSpec, kinds, read_spec

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["Item", "Mapped", "SourceSpec", "kinds", "read_spec"]
