"""Errors in the bytes of a JPEG."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_SOS = 0xDA  # start of scan: the marker before the coded data


def coded_bits(data: bytes) -> int:
    """Number of bits of a JPEG that :func:`flip` may flip."""
    return 8 * len(_bytes(np.frombuffer(data, np.uint8)))


def flip(data: bytes, places: npt.NDArray[np.floating]) -> bytes:
    """Flip bits of the entropy-coded data of a baseline JPEG, between SOS and EOI.

    Markers stay as they are and none comes into being: a bit whose flip would make a byte 0xFF
    leaves it to the next bit of that byte. Transports protect headers and markers (RFC 2435 sends
    them apart), and a made-up end of image would cut off the rest.

    Args:
        data: As :func:`degrade.codecs.jpeg_encode` writes it: one scan.
        places: Where to flip, each in [0, 1) of the bits; the first ones do what they would alone.
    """
    stream = np.frombuffer(data, np.uint8).copy()
    candidates = _bytes(stream)
    if not len(candidates):
        return data
    bits = np.minimum(places * (8 * len(candidates)), 8 * len(candidates) - 1).astype(np.int64)
    for place, bit in zip(candidates[bits >> 3], bits & 7, strict=True):
        flipped = stream[place] ^ (1 << bit)
        stream[place] = flipped if flipped != 0xFF else stream[place] ^ (1 << ((bit + 1) & 7))
    return stream.tobytes()


def _bytes(stream: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Places of the coded bytes that belong to no marker and no stuffed zero."""
    place = 2
    while stream[place + 1] != _SOS:
        place += 2 + int(stream[place + 2]) * 256 + int(stream[place + 3])
    place += 2 + int(stream[place + 2]) * 256 + int(stream[place + 3])
    coded = stream[place:-2]  # EOI is last
    plain = coded != 0xFF
    plain[1:] &= coded[:-1] != 0xFF
    return np.flatnonzero(plain) + place
