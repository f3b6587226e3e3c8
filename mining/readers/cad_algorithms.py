"""Which algorithm found what a CAD report holds. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset

from db.codes import Code
from mining.content_tree import ContentItem, ContentTree
from mining.elements import code_of, text_of
from mining.readers.sr_context import Surroundings

DETECTION_PERFORMED, ANALYSIS_PERFORMED = "111022", "111004"


class CadAlgorithms:
    """Answers for one report (PS3.16 TID 4015 to 4019)."""

    def __init__(self, ds: Dataset, tree: ContentTree, around: Surroundings) -> None:
        self._around = around
        self._by_finding: dict[str, str] = {}
        """By the code of what it looks for."""
        for item in tree.items:
            if item.concept is not None and item.concept.value in (DETECTION_PERFORMED, ANALYSIS_PERFORMED):
                name = around.algorithm([item])
                value = code_of(item.dataset, "ConceptCodeSequence")
                if name:
                    self._by_finding.setdefault("" if value is None else value.value, name)
        named = set(self._by_finding.values())
        words = (text_of(ds, "Manufacturer"), text_of(ds, "ManufacturerModelName"), text_of(ds, "SoftwareVersions"))
        self._otherwise = named.pop() if len(named) == 1 else " ".join(filter(None, words)) or "unnamed algorithm"

    def of(self, chain: Sequence[ContentItem], finding: Code | None) -> str:
        """Name and version of what made a finding, never empty.

        As the nearest item of the chain names it, else as the detection that looks for this kind of finding, else the
        only one that the report names, else the device that wrote it.
        """
        detected = "" if finding is None else self._by_finding.get(finding.value, "")
        return self._around.algorithm(chain) or detected or self._otherwise
