"""Formats that a data set is written in and checked in: one file per format.

A file dropped in here that subclasses :class:`~builders.export.base.Format` is registered.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from builders.export.base import Format, Found, Problem, formats, get

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["Format", "Found", "Problem", "formats", "get"]
