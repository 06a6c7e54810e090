"""The sixteen degradations of Robust-R1 as its authors released them, defects kept.

They are here to reproduce published robustness numbers and for nothing else: to damage pictures,
take the corrected operators of :mod:`degrade.ops`. Their names begin with ``published:``, so that
neither a record nor a recipe can take one for the other.

from degrade import ops
ops.get("published:motion_blur")
"""

from degrade.published import acquisition, environment, postprocessing, transmission
from degrade.published.table import TABLE, Published, get

__all__ = [
    "Published",
    "acquisition",
    "environment",
    "get",
    "names",
    "postprocessing",
    "transmission",
]


def names() -> list[str]:
    """Full names of all sixteen, in alphabetical order."""
    return sorted(TABLE)
