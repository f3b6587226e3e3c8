"""The colours of lesions, the same in all encodings, in turn, so that neighbours differ. Pure."""

from __future__ import annotations

import highdicom as hd

RGB = ((255, 220, 60), (90, 200, 255), (255, 120, 120), (120, 230, 120), (230, 140, 255), (255, 170, 70))
CIELAB = tuple(hd.color.CIELabColor.from_rgb(*colour).value for colour in RGB)
"""As PS3.3 C.10.7.1.1 encodes it. A viewer that finds none warns, or picks one at each opening."""


def rgb_of(number: int) -> list[int]:
    """Of the lesion with this number, from 1."""
    return list(RGB[(number - 1) % len(RGB)])


def cielab_of(number: int) -> list[int]:
    """Of the lesion with this number, from 1."""
    return list(CIELAB[(number - 1) % len(CIELAB)])
