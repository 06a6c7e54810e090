"""Errors in the bytes of a JPEG."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int64]

_SOS = 0xDA  # start of scan: the marker before the coded data
_RESTART = range(0xD0, 0xD8)


def intervals(data: bytes) -> list[Places]:
    """Places of the coded bytes in each restart interval of a JPEG.

    Bytes of markers and stuffed zeros are left out.

    Args:
        data: As :func:`degrade.codecs.jpeg_encode` writes it: baseline, one scan.
    """
    stream = np.frombuffer(data, np.uint8)
    place = 2
    while stream[place + 1] != _SOS:
        place += 2 + int(stream[place + 2]) * 256 + int(stream[place + 3])
    place += 2 + int(stream[place + 2]) * 256 + int(stream[place + 3])
    coded = stream[place:-2]  # EOI is last
    plain = coded != 0xFF
    plain[1:] &= coded[:-1] != 0xFF
    restart = ~plain & (coded >= _RESTART.start) & (coded < _RESTART.stop)
    found = np.flatnonzero(plain)
    parts = np.split(found, np.searchsorted(found, np.flatnonzero(restart)))
    return [part + place for part in parts]


def flip(data: bytes, places: list[tuple[int, int]]) -> bytes:
    """Flip bits of a JPEG's coded bytes, and make no marker.

    A bit whose flip would make a byte 0xFF leaves it to the next bit of that byte. Transports
    protect headers and markers (RFC 2435 sends them apart), and a made-up end of image would cut
    off all the rest.

    Args:
        data: The JPEG.
        places: Byte, one of :func:`intervals`, and bit from 0 to 7.
    """
    stream = bytearray(data)
    for place, bit in places:
        flipped = stream[place] ^ (1 << bit)
        stream[place] = flipped if flipped != 0xFF else stream[place] ^ (1 << ((bit + 1) & 7))
    return bytes(stream)
