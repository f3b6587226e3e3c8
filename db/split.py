"""Patient → train, val or test, for ever. Pure."""

from __future__ import annotations

import hmac
from hashlib import sha256

SHARES = (("train", 0.70), ("val", 0.15), ("test", 0.15))
"""The paper's shares (section 3.1: 70 %, 15 %, 15 %, by patient)."""


def split_of(patient_id: str, issuer_of_patient_id: str, site_key: bytes) -> str:
    """The split of a RESOLVED patient: the same answer for the same key, whatever else is known.

    Keyed, so that nobody outside can tell from a patient's id in which split they are.
    """
    message = f"{issuer_of_patient_id}\x1f{patient_id}".encode()
    fraction = int.from_bytes(hmac.digest(site_key, message, sha256)[:8], "big") / 2**64
    edge = 0.0
    for name, share in SHARES:
        edge += share
        if fraction < edge:
            return name
    return SHARES[-1][0]
