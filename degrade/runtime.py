"""The process a run works in: devices, threads, the allocator."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from PIL import Image

from degrade.errors import UserError


def resolve_device(name: str) -> torch.device:
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N`` -> a device that exists.

    Raises:
        UserError: It does not.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in {"cpu", "cuda"}:
        raise UserError(f"Unknown device {name!r}. Use auto, cpu, cuda or cuda:N.")
    available = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= available:
        raise UserError(
            f"Device {name!r} is not there: {available} CUDA devices are visible. Use --device cpu."
        )
    return device


def resolve_devices(names: str) -> tuple[torch.device, ...]:
    """``auto``, ``cpu``, ``cuda``, ``cuda:N``, or several of the latter between commas.

    Raises:
        UserError: One does not exist or is named twice, or they are of two kinds.
    """
    devices = tuple(map(resolve_device, names.split(",")))
    if len({d.type for d in devices}) > 1 or len({d.index or 0 for d in devices}) < len(devices):
        raise UserError(f"Devices {names!r}: give different CUDA devices, such as cuda:0,cuda:1.")
    return devices


@contextmanager
def tuned(one_thread_per_picture: bool) -> Iterator[None]:
    """Settings of the process for the duration of a run."""
    threads, limit = torch.get_num_threads(), Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None  # images.decode has its own limit, which the user sets
    if one_thread_per_picture:
        torch.set_num_threads(1)
    keep_freed_memory()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        Image.MAX_IMAGE_PIXELS = limit


def keep_freed_memory() -> None:
    """Make glibc keep freed blocks instead of returning each to the system.

    Tensors of a picture are megabytes; by default each is mapped and unmapped anew, and the page
    faults take longer than the arithmetic: elementwise operators run two to three times as fast
    without. A no-op where there is no glibc.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
    mallopt(trim_threshold, 512 << 20)
    mallopt(mmap_threshold, 32 << 20)
