"""UIDs made from names: the same name, the same UID, so that a step that runs twice makes the same object. Pure."""

from __future__ import annotations

from uuid import UUID, uuid5

_NAMESPACE = UUID("0a1d3c52-6f1e-5a0b-8a57-2f4f2f7b9c11")


def uid_from(*name: object) -> str:
    """A UID below 2.25 (PS3.5 B.2) for a name of several parts."""
    return f"2.25.{uuid5(_NAMESPACE, '/'.join(str(part) for part in name)).int}"
