"""An object that cannot be read costs itself alone."""

from collections.abc import Iterator

import pytest
from builders import (
    CT,
    SERIES,
    ct_series,
    gsps,
)
from harvest_node import Node, report
from pydicom.dataset import Dataset
from sqlalchemy import select

from db.measurement import Measurement
from db.models import MeasurementRow, Refusal, Rejection
from mining.readers.by_class import READERS, SourceReader, reader_for


def test_a_reader_that_fails_costs_one_object_and_leaves_no_patient_in_the_record(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(ds: Dataset, images: object) -> Iterator[Measurement]:
        raise ZeroDivisionError(f"a bug that quotes {ds.PatientName}")

    node.receive(*ct_series(), report("1.5.1"), gsps(images=[f"{SERIES}.1"]))
    monkeypatch.setitem(READERS, "1.2.840.10008.5.1.4.1.1.11.1", SourceReader("GSPS", broken))  # type: ignore[arg-type]
    assert node.harvest().measurements == 1
    (failed,) = node.session.scalars(select(Rejection))
    assert failed.reason_code == "reader_failed"
    assert "ZeroDivisionError" in failed.traceback and "broken" in failed.traceback
    assert "Nobody" not in failed.traceback + failed.reason


def test_a_lost_file_is_listed_and_costs_no_row_of_its_object_or_of_others(node: Node) -> None:
    node.receive(*ct_series(), report("1.5.1"))
    node.harvest()
    node.receive(report("1.5.2", reader="Reader^Two"))
    node.files.path("1.5.1.dcm").unlink()
    node.harvest()
    assert set(node.session.scalars(select(MeasurementRow.source_sop_instance_uid))) == {"1.5.1", "1.5.2"}
    assert [(row.sop_instance_uid, row.reason_code) for row in node.session.scalars(select(Refusal))] == [
        ("1.5.1", "lost")
    ]


def test_a_file_that_is_no_dicom_costs_one_object(node: Node) -> None:
    node.receive(*ct_series(), report("1.5.1"), report("1.5.2", reader="Reader^Two"))
    whole = node.files.path("1.5.1.dcm").read_bytes()
    node.files.path("1.5.1.dcm").write_bytes(whole[: len(whole) // 2])
    node.harvest()
    assert [row.source_sop_instance_uid for row in node.truth()] == ["1.5.2"]
    assert set(node.session.scalars(select(Rejection.source_sop_instance_uid))) == {"1.5.1"}


def test_an_sr_class_newer_than_the_table_is_read_as_any_sr() -> None:
    assert reader_for("1.2.840.10008.5.1.4.1.1.88.99") is READERS["1.2.840.10008.5.1.4.1.1.88.33"]
    assert reader_for(CT) is None
