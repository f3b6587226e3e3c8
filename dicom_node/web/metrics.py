"""/metrics: counts from the database, taken when they are asked for. Shell: reads only.

No label holds a patient's data: labels are states, reason codes, steps, peer names and process ids of our own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db import lost
from db.engine import Sessions, reading
from db.models import Instance, LesionRow, MeasurementRow, Refusal, Rejection, Study
from db.outcomes import Analysis, Assessment, Circuit, CommitmentRequest, Delivery, DetectionRow, Model, Task
from dicom_node.web.costly import Costly
from dicom_node.web.finding_queries import OverrideLine, override_rates
from dicom_node.web.outcome_queries import processes
from dicom_node.web.settings import WebSettings
from dicom_node.web.study_queries import results_stale

ROLES = ("receive", "work", "web")

# name, help, label names, columns to count by
COUNTS: tuple[tuple[str, str, tuple[str, ...], tuple[Any, ...]], ...] = (
    ("lesion_node_studies", "Studies by state", ("state",), (Study.state,)),
    ("lesion_node_instances", "Stored instances by state", ("state",), (Instance.state,)),
    ("lesion_node_refusals", "Objects not taken, by reason", ("reason",), (Refusal.reason_code,)),
    (
        "lesion_node_measurements",
        "Measurements by kind of source",
        ("source",),
        (MeasurementRow.source_kind,),
    ),
    ("lesion_node_lesions", "Lesions by split; an empty split is no truth", ("split",), (LesionRow.split,)),
    ("lesion_node_rejections", "What did not become a measurement, by reason", ("reason",), (Rejection.reason_code,)),
    ("lesion_node_tasks", "Runs of categorise and train", ("kind", "state"), (Task.kind, Task.state)),
    ("lesion_node_models", "Models by state", ("state",), (Model.state,)),
    ("lesion_node_analyses", "Analyses by outcome", ("state",), (Analysis.state,)),
    (
        "lesion_node_deliveries",
        "Deliveries by destination and state",
        ("destination", "state"),
        (Delivery.destination, Delivery.state),
    ),
    (
        "lesion_node_commitment_requests",
        "Storage commitment that peers asked of us, by state",
        ("state",),
        (CommitmentRequest.state,),
    ),
)


class NodeCollector(Collector):
    """Reads every figure in one session for one scrape."""

    def __init__(self, sessions: Sessions, settings: WebSettings, clock: Callable[[], datetime]) -> None:
        self.sessions = sessions
        self.settings = settings
        self.clock = clock
        self.rates: Costly[list[OverrideLine]] = Costly(clock)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        with reading(self.sessions) as session:
            for name, text, labels, columns in COUNTS:
                yield _counts(session, name, text, labels, columns)
            yield from self._single_figures(session)
            yield from self._ages(session)
            yield _assessments(session)
            yield _override_rates(self.rates.get(lambda: override_rates(session)))
            yield _circuits(session)
        free = shutil.disk_usage(self.settings.data_dir).free
        yield GaugeMetricFamily("lesion_node_disk_free_bytes", "Free space where files are stored", free)
        least = self.settings.min_free_bytes
        yield GaugeMetricFamily("lesion_node_disk_free_bytes_least", "Below this nothing is received", least)

    def _single_figures(self, session: Session) -> Iterator[GaugeMetricFamily]:
        failed = select(func.count()).select_from(Rejection).where(Rejection.reason_code == "reader_failed")
        reported = select(func.count()).select_from(DetectionRow).where(DetectionRow.reported)
        stale = select(func.count()).select_from(Study).where(results_stale())
        undone = Study.state != "receiving"
        harvest = select(func.count()).select_from(Study).where(undone, Study.harvested_revision < Study.revision)
        detect = (
            select(func.count())
            .select_from(Study)
            .where(undone, Study.analyse, Study.analysed_revision < Study.revision)
        )
        for name, text, query in (
            ("lesion_node_reader_failed", "Objects on which a reader of ours raised an error", failed),
            ("lesion_node_files_lost", "Stored instances whose file is gone", lost.listed()),
            ("lesion_node_detections_reported", "Detections above the operating point", reported),
            ("lesion_node_results_stale", "Studies whose results are to be made anew", stale),
            ("lesion_node_studies_to_harvest", "Settled studies that wait for harvest", harvest),
            ("lesion_node_studies_to_detect", "Settled studies that wait for detection", detect),
        ):
            yield GaugeMetricFamily(name, text, session.scalar(query) or 0)

    def _ages(self, session: Session) -> Iterator[GaugeMetricFamily]:
        now = self.clock()
        beats = GaugeMetricFamily(
            "lesion_node_heartbeat_age_seconds", "Since a process was seen last", labels=("role", "executor")
        )
        known = processes(session)
        for process in known:
            if not process.stopped:
                beats.add_metric((process.role, process.executor_id), (now - process.seen_at).total_seconds())
        yield beats
        running = GaugeMetricFamily("lesion_node_processes_running", "Processes that beat lately", labels=("role",))
        for role in ROLES:
            running.add_metric((role,), sum(process.role == role and process.runs(now) for process in known))
        yield running
        oldest = GaugeMetricFamily(
            "lesion_node_oldest_waiting_delivery_seconds", "Age of the oldest waiting delivery", labels=("destination",)
        )
        waiting = select(Delivery.destination, func.min(Delivery.created_at)).where(Delivery.state == "waiting")
        for destination, since in session.execute(waiting.group_by(Delivery.destination)):
            oldest.add_metric((destination,), (now - since).total_seconds())
        yield oldest


def _assessments(session: Session) -> GaugeMetricFamily:
    family = GaugeMetricFamily("lesion_node_assessments", "What people said of detections", labels=("model", "verdict"))
    counted = (
        select(Analysis.model_id, Assessment.verdict, func.count())
        .join_from(Assessment, Analysis, Analysis.analysis_id == Assessment.analysis_id, isouter=True)
        .group_by(Analysis.model_id, Assessment.verdict)
        .order_by(Analysis.model_id, Assessment.verdict)
    )
    for model_id, verdict, total in session.execute(counted):
        family.add_metric((model_id or "", verdict), total)
    return family


def _override_rates(rates: Iterable[OverrideLine]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "lesion_node_override_rate", "Share of the answered that was moved or rejected", labels=("model", "category")
    )
    for line in rates:
        family.add_metric((line.model_id, line.category), line.override_rate or 0.0)
    return family


def _circuits(session: Session) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "lesion_node_circuit_open", "1 where nothing is sent before a probe succeeds", labels=("destination",)
    )
    opened = select(Circuit.destination, Circuit.opened_at.is_not(None)).order_by(Circuit.destination)
    for destination, is_open in session.execute(opened):
        family.add_metric((destination,), float(is_open))
    return family


def _counts(
    session: Session, name: str, text: str, labels: tuple[str, ...], columns: tuple[Any, ...]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for *values, total in session.execute(select(*columns, func.count()).group_by(*columns).order_by(*columns)):
        family.add_metric([str(value or "") for value in values], total)
    return family


def exposition(collector: NodeCollector) -> bytes:
    """The text that Prometheus reads."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)
