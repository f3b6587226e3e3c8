"""A plain walk through a report, apart from the product's own readers."""

from __future__ import annotations

from io import BytesIO

from pydicom import Dataset, dcmread


def read_back(dataset: Dataset) -> Dataset:
    """Through the bytes of a Part 10 file, as a receiver sees it."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return dcmread(BytesIO(buffer.getvalue()))


def children(item: Dataset, code: str) -> list[Dataset]:
    return [child for child in item.get("ContentSequence", ()) if child.ConceptNameCodeSequence[0].CodeValue == code]


def groups_of(report: Dataset) -> list[Dataset]:
    return children(children(report, "126010")[0], "125007")


def value_of(group: Dataset, code: str) -> tuple[float, str]:
    """The number of this concept, and its unit."""
    measured = children(group, code)[0].MeasuredValueSequence[0]
    return float(measured.NumericValue), measured.MeasurementUnitsCodeSequence[0].CodeValue
