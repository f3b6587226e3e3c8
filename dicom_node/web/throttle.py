"""How long an address that gave wrong tokens must wait before it may give another. Pure: the clock is an argument.

A session that is open already is not asked, so that nobody can lock others out of their work. It lives in one process:
with several web processes each counts for itself.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from math import ceil

FREE_TRIES = 5
"""Wrong tokens that cost no waiting: a person mistypes."""
LONGEST = timedelta(seconds=60)
FORGET_AFTER = timedelta(minutes=10)
MOST_ADDRESSES = 1000
"""Addresses that are remembered; beyond that the one that failed longest ago is forgotten."""


class Throttle:
    """Failures by address."""

    def __init__(self) -> None:
        self._failed: OrderedDict[str, tuple[int, datetime]] = OrderedDict()

    def wait_s(self, address: str, now: datetime) -> int:
        """Whole seconds for which a token of this address is not looked at; 0 if it may try."""
        tries, last = self._failed.get(address, (0, now))
        if tries < FREE_TRIES:
            return 0
        waiting = min(timedelta(seconds=2 ** min(tries - FREE_TRIES, 16)), LONGEST)
        return max(ceil((last + waiting - now).total_seconds()), 0)

    def failed(self, address: str, now: datetime) -> None:
        tries, last = self._failed.pop(address, (0, now))
        self._failed[address] = (1 if now - last >= FORGET_AFTER else tries + 1, now)
        if len(self._failed) > MOST_ADDRESSES:
            self._failed.popitem(last=False)

    def succeeded(self, address: str) -> None:
        self._failed.pop(address, None)
