"""A coded concept as a plain value. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """One row of a code sequence (PS3.3 8.1). `scheme` is DCM, SCT, SRT, LN, UCUM …"""

    value: str
    scheme: str
    meaning: str = ""

    def __str__(self) -> str:
        """Value and scheme as SQL shows them: `103339001^SCT`."""
        return f"{self.value}^{self.scheme}"
