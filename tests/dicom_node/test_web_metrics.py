"""/metrics: parsed as Prometheus does, complete, and without anything of a patient."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from web_seed import LESION, MARKUP, PROMOTED, STUDY

from db.engine import Sessions
from db.models import Refusal, Study
from db.outcomes import Analysis
from dicom_node.heartbeat import beat
from dicom_node.web.metrics import NodeCollector, exposition
from dicom_node.web.settings import WebSettings

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples_of(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def text(seeded: Sessions, tmp_path: Path) -> str:
    settings = WebSettings(token="t", data_dir=tmp_path, min_free_bytes=2_000_000_000)
    return exposition(NodeCollector(seeded, settings, lambda: NOW)).decode()


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("lesion_node_studies", {"state": "settled"}, 2),
        ("lesion_node_studies", {"state": "incomplete"}, 1),
        ("lesion_node_instances", {"state": "conflict"}, 1),
        ("lesion_node_refusals", {"reason": "unknown_ae"}, 1),
        ("lesion_node_measurements", {"source": "SR"}, 2),
        ("lesion_node_lesions", {"split": "train"}, 1),
        ("lesion_node_lesions", {"split": ""}, 1),
        ("lesion_node_rejections", {"reason": "no_spatial_coordinates"}, 2),
        ("lesion_node_reader_failed", {}, 1),
        ("lesion_node_tasks", {"kind": "train", "state": "failed"}, 1),
        ("lesion_node_models", {"state": "promoted"}, 1),
        ("lesion_node_analyses", {"state": "failed"}, 1),
        ("lesion_node_detections_reported", {}, 3),
        ("lesion_node_deliveries", {"destination": "READING <ROOM>", "state": "held"}, 4),
        ("lesion_node_deliveries", {"destination": "ARCHIVE", "state": "committed"}, 2),
        ("lesion_node_deliveries", {"destination": "SHADOW", "state": "shadow"}, 2),
        ("lesion_node_deliveries", {"destination": "GONE", "state": "retracted"}, 2),
        ("lesion_node_circuit_open", {"destination": "ARCHIVE"}, 1),
        ("lesion_node_commitment_requests", {"state": "waiting"}, 1),
        ("lesion_node_commitment_requests", {"state": "dead"}, 1),
        ("lesion_node_assessments", {"model": PROMOTED, "verdict": "modified"}, 1),
        ("lesion_node_assessments", {"model": PROMOTED, "verdict": "added"}, 1),
        ("lesion_node_override_rate", {"model": PROMOTED, "category": "liver <b>cyst</b>"}, 1),
        ("lesion_node_results_stale", {}, 0),
        ("lesion_node_oldest_waiting_delivery_seconds", {"destination": "READING <ROOM>"}, 3 * 3600),
        ("lesion_node_heartbeat_age_seconds", {"executor": "worker-1", "role": "work"}, 9 * 60),
        ("lesion_node_processes_running", {"role": "receive"}, 1),
        ("lesion_node_processes_running", {"role": "work"}, 0),
        ("lesion_node_processes_running", {"role": "web"}, 0),
        ("lesion_node_studies_to_harvest", {}, 0),
        ("lesion_node_studies_to_detect", {}, 1),
        ("lesion_node_disk_free_bytes_least", {}, 2_000_000_000),
    ],
)
def test_a_figure_is_counted_from_the_database(text: str, name: str, labels: dict[str, str], value: float) -> None:
    assert samples_of(text)[(name, tuple(sorted(labels.items())))] == value


def test_the_free_space_is_measured(text: str) -> None:
    assert samples_of(text)[("lesion_node_disk_free_bytes", ())] > 0


def test_no_patient_study_or_lesion_stands_in_the_metrics(text: str) -> None:
    for secret in (MARKUP, STUDY, LESION, "ACC-17"):
        assert secret not in text


def test_an_empty_node_has_metrics(sessions: Sessions, tmp_path: Path) -> None:
    settings = WebSettings(token="t", data_dir=tmp_path)
    found = samples_of(exposition(NodeCollector(sessions, settings, lambda: NOW)).decode())
    assert found[("lesion_node_reader_failed", ())] == found[("lesion_node_files_lost", ())] == 0


def test_the_age_of_a_process_that_ended_by_itself_alarms_nobody(sessions: Sessions, tmp_path: Path) -> None:
    with sessions.begin() as session:
        beat(session, "a-receive-104", "receive", NOW - timedelta(days=1), stopped=True)
    settings = WebSettings(token="t", data_dir=tmp_path)
    found = samples_of(exposition(NodeCollector(sessions, settings, lambda: NOW)).decode())
    assert [name for name, _ in found if name == "lesion_node_heartbeat_age_seconds"] == []


def test_lost_files_are_counted_each_once(sessions: Sessions, tmp_path: Path) -> None:
    with sessions.begin() as session:
        for uid in ("1.2.1", "1.2.2", "1.2.2"):  # two processes may have seen the last one at one time
            session.add(Refusal(at=NOW, source="PACS", sop_instance_uid=uid, reason_code="lost", reason="gone"))
    settings = WebSettings(token="t", data_dir=tmp_path)
    found = samples_of(exposition(NodeCollector(sessions, settings, lambda: NOW)).decode())
    assert found[("lesion_node_files_lost", ())] == 2


def test_results_of_a_replaced_analysis_are_not_stale_for_ever(seeded: Sessions, tmp_path: Path) -> None:
    settings = WebSettings(token="t", data_dir=tmp_path)
    stale = []
    with seeded.begin() as session:
        session.get_one(Analysis, "analysis-1").edition = 1
    for revision in (2, 3):  # nobody makes anew what an analysis of older images said
        with seeded.begin() as session:
            session.get_one(Study, STUDY).revision = revision
        found = samples_of(exposition(NodeCollector(seeded, settings, lambda: NOW)).decode())
        stale.append(found[("lesion_node_results_stale", ())])
    assert stale == [1, 0]
