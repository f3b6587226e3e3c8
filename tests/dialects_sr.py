"""Dialects of structured reports."""

from builders import SERIES, bidirectional, ct_series, tid1500
from dialect import Dialect, Row

LONG, SHORT = ((20.0, 10.0), (32.0, 26.0)), ((32.0, 16.0), (20.0, 19.515625))
"""14.14 and 6.63 mm long on slices of `builders.ct_series`, and upright to each other."""
FIRST = f"{SERIES}.1"

SR_DIALECTS = [
    Dialect(
        name="TID 1500, two diameters",
        kind="SR",
        root="126000 DCM Imaging Measurement Report",
        place="NUM > INFERRED FROM > SCOORD",
        codes="SCT",
        units="mm",
        orientation="oblique",
        objects=lambda: [*ct_series(), tid1500(bidirectional(FIRST, LONG, SHORT))],
        rows=[Row(FIRST, 14.14, 6.63)],
    ),
]
