"""How many outlines of one object are measured: what a hostile one may cost. Pure."""

from __future__ import annotations

DEAREST = 4_000_000
"""Of one outline, in pairs of its points; an outline of more points is measured at fewer of them."""


class OutlineBudget:
    """Fifteen outlines of 2,000 points and more, or 600 of 300, which is more than a person draws."""

    def __init__(self, pairs: int = 15 * DEAREST) -> None:
        self._left = pairs

    def allows(self, points: int) -> bool:
        """Whether an outline of so many points is measured yet; then it counts."""
        if self._left < 0:
            return False
        self._left -= min(points * points, DEAREST)
        return True
