"""Marks of people written anew: what viewers take up, what the node never harvests again, what stays as it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import pytest
from builders import SERIES, STUDY, annotation, bidirectional, ct_series, graphic, gsps, person, text_object, tid1500
from builders_answers import NAME_OF_NOBODY, ohif_axes, ohif_saved
from command_line import Cli, cli_of, refused
from dciodvfy import errors_of
from dialect import Dialect
from dialects import DIALECTS
from pydicom import Dataset, dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian
from sqlalchemy import select
from whole_way import Site, configure, keep, study

from db.engine import reading, utc_now
from db.models import LesionRow, MeasurementRow, Rejection
from db.outcomes import Audit, Translation
from db.studies import current_instances
from dicom_node.pacs_stand_in import PacsStandIn
from dicom_node.phantom.readings import Dialect as PhantomDialect
from dicom_node.settle import settle_study
from dicom_node.translate import Translated, translate, write
from dicom_node.viewer_rules.rule import Expected
from dicom_node.viewer_rules.table import rules_for
from mining.harvest import harvest_study
from mining.settings import DEFAULT_SETTINGS, HarvestSettings

pytestmark = pytest.mark.slow

LONG, SHORT = ((20.0, 10.0), (32.0, 26.0)), ((32.0, 16.0), (20.0, 19.515625))


@pytest.fixture
def site(tmp_path: Path, database_url: str) -> Site:
    return configure(tmp_path, database_url, 104)


def arrive(site: Site, *objects: Dataset, settings: HarvestSettings = DEFAULT_SETTINGS, uid: str = STUDY) -> None:
    """Received, settled and harvested."""
    for ds in objects:
        if ds.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian:
            ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian  # `keep` deflates nothing
    keep(site, objects)
    node = site.node
    assert settle_study(node.sessions, node.files, uid, utc_now(), node.site_key()) is not None
    harvest_study(node.sessions, uid, node.files, settings)


def lesions(site: Site) -> list[dict[str, object]]:
    """Every column of `lesions`."""
    with reading(site.node.sessions) as session:
        rows = session.execute(select(*LesionRow.__table__.columns).order_by(LesionRow.lesion_id)).mappings()
        return [dict(row) for row in rows]


def changed(before: list[dict[str, object]], after: list[dict[str, object]]) -> list[object]:
    """The rows that came or went, and of those that stayed what is another value."""
    old, new = ({str(row["lesion_id"]): row for row in rows} for rows in (before, after))
    rows: list[object] = [row for uid, row in [*old.items(), *new.items()] if uid not in old or uid not in new]
    return rows + [
        (name, value, new[uid][name])
        for uid in old.keys() & new.keys()
        for name, value in old[uid].items()
        if new[uid][name] != value
    ]


def truth(site: Site) -> list[str]:
    return [str(row["lesion_id"]) for row in lesions(site) if row["excluded_because"] is None]


def copies(site: Site, done: Sequence[Translated]) -> list[Dataset]:
    return [dcmread(site.node.files.path(each.file_name)) for each in done if each.file_name]


def written(site: Site, uid: str = STUDY) -> list[Dataset]:
    return copies(site, translate(site.node, uid))


def faults(site: Site, ds: Dataset, uid: str = STUDY) -> dict[str, list[str]]:
    """What the viewers' rules find in a copy, held against the study's images."""
    with reading(site.node.sessions) as session:
        stored = current_instances(session, uid)
    images = [dcmread(site.node.files.path(each.file_name), stop_before_pixels=True) for each in stored]
    marked = {reference.ReferencedSOPInstanceUID for reference in evidence(ds)}
    of_it = [image for image in images if image.SOPInstanceUID in marked and "Rows" in image]
    expected = Expected(tuple(of_it))
    without = ("points in place", "lesions drawn")  # of detections; here the harvest tells
    return {
        rule.name: found
        for rule in rules_for("translation")
        if rule.name not in without and (found := list(rule.faults(ds, expected)))
    }


def evidence(ds: Dataset) -> list[Dataset]:
    return [
        instance
        for study_item in ds.CurrentRequestedProcedureEvidenceSequence
        for series in study_item.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    ]


def saved_again(copy: Dataset, number: int = 0) -> Dataset:
    """As a viewer saves what it took up: other UIDs for the document, its series and all its groups, nobody's name."""
    ds = deepcopy(copy)
    for index, item in enumerate(groups(ds)):
        for child in item.ContentSequence:
            if child.ConceptNameCodeSequence[0].CodeValue == "112040":
                child.UID = f"2.25.9{index}"
    observers = ("121005", "121008", "121012", "121013", "121014", "121015")
    ds.ContentSequence = [
        person(NAME_OF_NOBODY),
        *(item for item in ds.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue not in observers),
    ]
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"2.25.777{number}"
    ds.SeriesInstanceUID = "2.25.778"
    ds.ContentDate, ds.ContentTime = "20261126", "101500"
    ds.Manufacturer, ds.SeriesDescription = "Unspecified", "Research Derived series"
    return ds


def groups(ds: Dataset) -> list[Dataset]:
    (measurements,) = (item for item in ds.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "126010")
    return list(measurements.ContentSequence)


# --- every way in which marks arrive ------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_what_is_translated_is_taken_up_and_never_harvested_again(site: Site, dialect: Dialect) -> None:
    arrive(site, *dialect.objects(), settings=dialect.settings)
    before = lesions(site)
    done = translate(site.node, STUDY)
    made = copies(site, done)
    if any(row.truth and row.long_mm is not None for row in dialect.rows):
        assert sum(each.marks for each in done) > 0
        assert made or {each.why_not for each in done} == {"viewers take it up as it is"}
    for ds in made:
        assert faults(site, ds) == {}
    assert lesions(site) == before, "to translate changes no row"
    if made:
        again = [saved_again(ds, number) for number, ds in enumerate(made)]
        arrive(site, *made, *again, settings=dialect.settings)
        assert changed(before, lesions(site)) == [], "the copies, and the same points saved by a viewer"


# --- what is written ----------------------------------------------------------------------------------------------


def marks(site: Site) -> None:
    """A presentation state with two axes and a line, and an old report of two axes."""
    axes = annotation(
        [graphic("POLYLINE", LONG), graphic("POLYLINE", SHORT)],
        [text_object("14.1 x 6.6 mm", LONG[1])],
        images=[f"{SERIES}.1"],
    )
    line = ((8.0, 9.0), (30.0, 14.0))
    alone = annotation([graphic("POLYLINE", line)], [text_object("11.7 mm", line[1])], images=[f"{SERIES}.2"])
    state = gsps(axes, alone, images=[f"{SERIES}.1", f"{SERIES}.2"])
    state.SeriesDescription = "Overlay of the reading"
    old = tid1500(bidirectional(f"{SERIES}.3", long=LONG, short=SHORT, tracking_uid="1.9", stated=(14.14, 6.63)))
    arrive(site, *ct_series(), state, old)


def test_a_copy_says_whose_marks_it_holds_and_of_what_it_is_one(site: Site) -> None:
    marks(site)
    state, old = sorted(written(site), key=lambda ds: "GSPS" not in ds.SeriesDescription)
    assert state.SeriesDescription == "Copy of GSPS: Overlay of the reading"
    assert "PredecessorDocumentsSequence" not in state, "it replaces nothing"
    others = [
        instance.ReferencedSOPInstanceUID
        for study_item in state.PertinentOtherEvidenceSequence
        for series in study_item.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    ]
    with reading(site.node.sessions) as session:
        sources = {
            row.result_sop_instance_uid: row.source_sop_instance_uid for row in session.scalars(select(Translation))
        }
    assert others == [sources[state.SOPInstanceUID]]
    persons = [str(item.PersonName) for item in state.ContentSequence if item.ValueType == "PNAME"]
    assert persons == ["Reader^Two"]
    assert [str(item.PersonName) for item in old.ContentSequence if item.ValueType == "PNAME"] == ["Reader^One"]
    assert state.SeriesInstanceUID != old.SeriesInstanceUID
    (group,) = groups(old)
    by_code = {item.ConceptNameCodeSequence[0].CodeValue: item for item in group.ContentSequence}
    assert by_code["112040"].UID == "1.9"
    assert by_code["112039"].TextValue == "Cornerstone3DTools@^0.1.0:Bidirectional:Mark 1"
    assert by_code["121106"].TextValue.endswith("(copy of SR)")


def test_the_numbers_are_those_of_the_geometry_and_the_points_those_of_the_reader(site: Site) -> None:
    marks(site)
    old = next(ds for ds in written(site) if ds.SeriesDescription.startswith("Copy of SR"))
    (group,) = groups(old)
    numbers = [item for item in group.ContentSequence if item.ValueType == "NUM"]
    values = [float(item.MeasuredValueSequence[0].NumericValue) for item in numbers]
    assert values == pytest.approx([14.1362, 6.6264], abs=1e-3)
    drawn = [list(item.ContentSequence[0].GraphicData) for item in numbers]
    assert drawn == [pytest.approx([20.5, 10.5, 32.5, 26.5]), pytest.approx([32.5, 16.5, 20.5, 20.015625])]


def test_the_same_marks_again_give_the_same_object_also_where_its_file_was_lost(site: Site) -> None:
    marks(site)
    first = translate(site.node, STUDY)
    contents = [site.node.files.path(each.file_name).read_bytes() for each in first]
    site.node.files.path(first[0].file_name).unlink()
    assert translate(site.node, STUDY) == first
    assert [site.node.files.path(each.file_name).read_bytes() for each in first] == contents
    with reading(site.node.sessions) as session:
        assert len(session.scalars(select(Translation)).all()) == len(first) == 2


def test_it_stands_in_the_ledger_before_it_leaves(site: Site, tmp_path: Path) -> None:
    marks(site)
    done = translate(site.node, STUDY)
    with reading(site.node.sessions) as session:
        assert {row.result_sop_instance_uid for row in session.scalars(select(Translation))} == {
            each.sop_instance_uid for each in done
        }
    paths = write(site.node, done, tmp_path / "out")
    assert [path.name for path in paths] == [f"{each.sop_instance_uid}.dcm" for each in done]
    arrive(site, *[dcmread(path) for path in paths])
    with reading(site.node.sessions) as session:
        codes = session.scalars(
            select(Rejection.reason_code).where(
                Rejection.source_sop_instance_uid.in_([each.sop_instance_uid for each in done])
            )
        )
        assert list(codes) == ["own_result"] * 2


def test_a_document_whose_marks_changed_is_translated_anew_in_place_of_the_earlier_copy(site: Site) -> None:
    marks(site)
    (before,) = (ds for ds in written(site) if ds.SeriesDescription.startswith("Copy of SR"))
    with site.node.sessions.begin() as session:  # as if a better reader had read the document again
        for row in session.scalars(select(LesionRow).where(LesionRow.source_kind == "SR")):
            row.finding_code, row.finding = "27925004^SCT", "Nodule"
    (after,) = (ds for ds in written(site) if ds.SeriesDescription.startswith("Copy of SR"))
    assert after.SOPInstanceUID != before.SOPInstanceUID
    assert (after.SeriesInstanceUID, after.InstanceNumber) == (before.SeriesInstanceUID, 2)
    series = after.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == before.SOPInstanceUID


def test_a_document_that_marks_two_studies_has_a_copy_of_its_own_in_each(site: Site) -> None:
    prior = f"{STUDY}.44"
    both = (bidirectional(f"{SERIES}.3", LONG, SHORT), bidirectional(f"{prior}.1.2", LONG, SHORT))
    arrive(site, *ct_series(), tid1500(*both))
    arrive(site, *ct_series(series_uid=f"{prior}.1", study_uid=prior), uid=prior)
    copies_of = [ds for uid in (STUDY, prior) for ds in written(site, uid)]
    assert [ds.StudyInstanceUID for ds in copies_of] == [STUDY, prior]
    assert len({ds.SeriesInstanceUID for ds in copies_of}) == 2, "a series lies in one study"
    assert not any("PredecessorDocumentsSequence" in ds for ds in copies_of), "neither replaces the other"


def test_a_readers_words_stay_one_value_whatever_is_in_them(site: Site, tmp_path: Path) -> None:
    marks(site)
    with site.node.sessions.begin() as session:  # as AIM and CSV files bring them
        for row in session.scalars(select(LesionRow).where(LesionRow.source_kind == "SR")):
            row.finding_code, row.finding = "1\\2^99SITE", "tumor\\cyst"
        for measured in session.scalars(select(MeasurementRow)):
            measured.reader = "CLINIC\\jdoe\x1b"
    for ds in written(site):
        (person_item,) = (item for item in ds.ContentSequence if item.ValueType == "PNAME")
        assert str(person_item.PersonName) == "CLINIC/jdoe"
        assert not [error for error in errors_of(ds, tmp_path) if "Multiplicity" in error]


# --- what is left alone -------------------------------------------------------------------------------------------


def test_a_report_that_viewers_take_up_is_left_alone(site: Site) -> None:
    saved = ohif_saved(ohif_axes(f"{SERIES}.1", LONG, SHORT, "1.9"), uid="1.2.9")
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "1500"
    saved.ContentTemplateSequence = [template]
    arrive(site, *ct_series(), saved)
    (only,) = translate(site.node, STUDY)
    assert (only.why_not, only.file_name, only.marks) == ("viewers take it up as it is", "", 1)


def test_what_an_algorithm_drew_and_what_was_only_pointed_at_are_no_marks(site: Site) -> None:
    point = annotation([graphic("POINT", ((20.0, 10.0),))], images=[f"{SERIES}.1"])
    state = gsps(point, images=[f"{SERIES}.1"])
    arrive(site, *ct_series(), state)
    assert translate(site.node, STUDY) == []


# --- saved again by a reader --------------------------------------------------------------------------------------


def test_a_copy_that_is_saved_again_is_no_second_truth_and_a_moved_one_is_a_new_measurement(site: Site) -> None:
    marks(site)
    copy = next(ds for ds in written(site) if ds.SeriesDescription.startswith("Copy of SR"))
    before = truth(site)
    into = (str(copy.SeriesInstanceUID), str(copy.SOPInstanceUID))
    same = ohif_saved(ohif_axes(f"{SERIES}.3", LONG, SHORT, "2.25.4"), uid="1.2.90", into=into)
    arrive(site, copy, same)
    assert truth(site) == before
    with reading(site.node.sessions) as session:
        (row,) = session.scalars(select(MeasurementRow).where(MeasurementRow.source_sop_instance_uid == "1.2.90"))
    assert row.same_as in before
    moved = (LONG[0], (LONG[1][0] + 1.0, LONG[1][1]))
    arrive(site, ohif_saved(ohif_axes(f"{SERIES}.3", moved, SHORT, "2.25.5"), uid="1.2.91"))
    (new,) = set(truth(site)) - set(before)
    assert set(before) < set(truth(site))
    assert next(row for row in lesions(site) if row["lesion_id"] == new)["source_sop_instance_uid"] == "1.2.91"


# --- the command --------------------------------------------------------------------------------------------------


@pytest.fixture
def cli(site: Site) -> Cli:
    return cli_of(site)


def test_the_command_writes_and_tells(site: Site, cli: Cli, tmp_path: Path) -> None:
    marks(site)
    shown = json.loads(cli("translate", STUDY, "--to", str(tmp_path / "out"), "--json").stdout)
    assert sorted((row["kind"], row["marks"]) for row in shown) == [("GSPS", 2), ("SR", 1)]
    assert sorted(path.stem for path in (tmp_path / "out").iterdir()) == sorted(row["translation"] for row in shown)
    assert cli("translate", STUDY).exit_code == 2
    assert refused(cli("translate", "1.2.3", "--to", str(tmp_path))) == "there is no such study here (study=1.2.3)"
    unknown = refused(cli("translate", STUDY, "--send", "nobody"))
    assert unknown.startswith("there is no such peer in node.toml")


def test_nothing_goes_to_a_destination_in_shadow(tmp_path: Path, database_url: str) -> None:
    site = configure(tmp_path, database_url, 104, mode="shadow")
    told = refused(cli_of(site)("translate", STUDY, "--send", "pacs"))
    assert told == "the destination is in shadow: nothing is ever sent there (peer=pacs)"


def test_what_is_sent_arrives_and_comes_back_without_a_trace(tmp_path: Path, database_url: str) -> None:
    with PacsStandIn("PACS", tmp_path / "pacs") as pacs:
        site = configure(tmp_path, database_url, pacs.port)
        marks(site)
        before = lesions(site)
        told = cli_of(site)("translate", STUDY, "--send", "pacs", "--json")
        assert {row["answer"] for row in json.loads(told.stdout)} == {"Success"}
        there = [dcmread(path) for path in (tmp_path / "pacs" / STUDY).glob("*.dcm")]
        assert len(there) == 2
        arrive(site, *there)
        assert lesions(site) == before
        with reading(site.node.sessions) as session:
            sent = session.scalars(select(Audit).where(Audit.action == "send translation")).all()
        assert {row.target for row in sent} == {ds.SOPInstanceUID for ds in there}
        assert {row.facts["destination"] for row in sent} == {"pacs"}


# --- whole documents ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", list(PhantomDialect))
def test_dciodvfy_finds_no_error_in_copies_of_a_readers_documents(
    site: Site, dialect: PhantomDialect, tmp_path: Path
) -> None:
    phantom = next(each for each in map(study, range(40)) if each.dialect is dialect)
    arrive(site, *phantom.images, *phantom.reports, uid=phantom.study_instance_uid)
    done = translate(site.node, phantom.study_instance_uid)
    for ds in copies(site, done):
        assert errors_of(ds, tmp_path) == []
        assert faults(site, ds, phantom.study_instance_uid) == {}
    assert done
    assert all(each.file_name or each.why_not for each in done)
