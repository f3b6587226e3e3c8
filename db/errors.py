"""Every error of the product, in families by who must act. Pure.

The docstring of a class is its message; the keyword arguments it was raised with stay in `facts` and are
printed behind it. Facts are UIDs, counts, paths and settings, never a patient's name.
"""

from __future__ import annotations


class NodeError(Exception):
    """The node could not do what was asked."""

    def __init__(self, message: str = "", **facts: object) -> None:
        self.facts = facts
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        super().__init__(self.message)

    def __str__(self) -> str:
        if not self.facts:
            return self.message
        return f"{self.message} ({', '.join(f'{name}={value}' for name, value in self.facts.items())})"


class ConfigError(NodeError):
    """The configuration is wrong; the administrator must change it."""


class ContentError(NodeError):
    """A DICOM object cannot be used as it is; trying again will not help."""


class GeometryError(ContentError):
    """An image or a drawing has no usable geometry."""


class LostFile(ContentError):
    """The file of a stored object is gone from the store; send the object again."""


class PeerError(NodeError):
    """The other side broke the protocol, refused us or went away; trying later may help."""


class StoreAway(NodeError):
    """The folder of the stored objects is not there; mount it."""


class StorageFull(NodeError):
    """There is not enough free space to store what arrived."""


class DatabaseError(NodeError):
    """The database is not in the state this version needs."""


class RequestError(NodeError):
    """What was asked for does not exist or is not allowed now."""


class TrainingError(NodeError):
    """A model could not be trained."""
