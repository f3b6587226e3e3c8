"""How a run of phantoms looks, and which patient a study belongs to. Pure; its promise: same seed, same answer."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

import numpy as np

PHANTOM_NAMESPACE = UUID("0d7c1f5e-3f0b-5d7e-8c55-2f6f4bb0c9a1")
"""Namespace of every UID of the phantoms."""

PATIENTS_PER_BLOCK = 6
"""Indices come in blocks of seven: six patients' first studies, then the follow-up of one of the six."""


@dataclass(frozen=True, slots=True)
class PhantomSettings:
    rows: int = 256
    """Rows of the usual square image; some studies have fewer or more (see `odd_geometry_share`)."""
    slices: tuple[int, int] = (24, 40)
    """Fewest and most images of a study, both included."""
    lesions: tuple[int, int] = (2, 6)
    """Fewest and most lesions the generator tries to place; one that finds no room is left out."""
    marked_share: float = 0.45
    """Share of the lesions that the simulated reader measures, 0 to 1; at least one, but see `unread_share`."""
    unread_share: float = 0.05
    """Share of the patients of whom no lesion is measured, so that their studies have no report."""
    odd_geometry_share: float = 0.25
    """Share of the patients scanned with unequal pixel spacing, a non-square matrix or an oblique plane."""

    def __post_init__(self) -> None:
        if self.rows < 64:
            raise ValueError(f"rows must be >= 64, got {self.rows}")
        for name, (low, high), least in (("slices", self.slices, 8), ("lesions", self.lesions, 0)):
            if not least <= low <= high:
                raise ValueError(f"{name} must be two rising numbers >= {least}, got {(low, high)}")
        for name in ("marked_share", "unread_share", "odd_geometry_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be within 0 and 1, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Visit:
    """One study's place: `patient` is the index of the patient's first study; `number` is 0, or 1 for a follow-up."""

    seed: int
    index: int
    patient: int
    number: int

    @property
    def patient_id(self) -> str:
        return f"PHANTOM-{self.seed}-{self.patient}"

    def patient_rng(self, topic: str) -> np.random.Generator:
        """Draws that are the same in every study of the patient."""
        return _rng(f"{self.seed}/patient {self.patient}/{topic}")

    def study_rng(self, topic: str) -> np.random.Generator:
        return _rng(f"{self.seed}/study {self.index}/{topic}")

    def uid(self, *names: object) -> str:
        """A UID of this study, from a UUID as PS3.5 B.2 has it."""
        return uid_of(self.seed, "study", self.index, *names)

    def patient_uid(self, *names: object) -> str:
        return uid_of(self.seed, "patient", self.patient, *names)


def visit_of(seed: int, index: int) -> Visit:
    """Which patient's study the index is; needs no other study. Raises ValueError for a negative number."""
    if seed < 0 or index < 0:
        raise ValueError(f"seed and index must be >= 0, got {seed} and {index}")
    block, place = divmod(index, PATIENTS_PER_BLOCK + 1)
    if place < PATIENTS_PER_BLOCK:
        return Visit(seed, index, index, 0)
    chosen = int(_rng(f"{seed}/block {block}").integers(PATIENTS_PER_BLOCK))
    return Visit(seed, index, block * (PATIENTS_PER_BLOCK + 1) + chosen, 1)


def uid_of(*names: object) -> str:
    return f"2.25.{uuid5(PHANTOM_NAMESPACE, '/'.join(str(name) for name in names)).int}"


def _rng(text: str) -> np.random.Generator:
    return np.random.default_rng(uuid5(PHANTOM_NAMESPACE, text).int)
