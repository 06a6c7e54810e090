"""Realistic image degradations, recorded and replayable.

    from degrade import ops
    images, records = ops.get("motion_blur")(x, intensities=[0.4], keys=["cat.jpg"])

Submodules load on first use, so that ``import degrade.cli`` stays light.
"""

from importlib import metadata

__version__ = metadata.version("degrade")
