"""A node that received small phantom studies, and a network too small to know anything: for the detector's tests."""

import hashlib
from datetime import UTC, datetime
from functools import cache

import torch
from pydicom.dataset import Dataset
from sqlalchemy.orm import Session

from db import registry
from db.engine import Sessions
from db.files import instance_name
from db.indexing import IndexedInstance, index
from db.local_files import LocalFiles
from db.models import Instance, Study
from detector.merge import MergeSettings
from detector.model import LesionDetector, NetworkSettings, build
from detector.model_files import card_of, names_of, weights_bytes
from detector.prepare import InputSettings
from dicom_node.phantom.settings import PhantomSettings
from dicom_node.phantom.study import PhantomStudy, make_study
from mining.harvest import read_study, save_study
from mining.headers import read_header

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SITE_KEY = b"key of the test site"
SMALL = PhantomSettings(rows=96, slices=(10, 12), lesions=(2, 3), unread_share=0.0, odd_geometry_share=1.0)
"""Every study has unequal spacing, a non-square matrix or an oblique plane."""
INPUTS = InputSettings(pixel_mm=4.0, windows_hu=((-175.0, 275.0),))
"""Coarse, so that a slice goes through the network in a moment."""


def silent(step: str, done: int, total: int, **figures: object) -> None:
    """Progress that nobody watches."""


@cache
def small_study(index: int) -> PhantomStudy:
    """Made once; whoever changes an object of it takes a copy."""
    return make_study(5, index, SMALL)


def receive(session: Session, files: LocalFiles, objects: list[Dataset], harvest: bool = False) -> str:
    """Objects of ONE study as if received and settled; returns its UID."""
    study_uid = str(objects[0].StudyInstanceUID)
    study = Study(
        study_instance_uid=study_uid, state="settled", revision=1, received_first_at=NOW, received_last_at=NOW
    )
    session.add(study)
    session.flush()
    for ds in objects:
        uid, series_uid = str(ds.SOPInstanceUID), str(ds.SeriesInstanceUID)
        name = instance_name(study_uid, series_uid, uid, "0" * 64)
        files.path(name).parent.mkdir(parents=True, exist_ok=True)
        ds.save_as(files.path(name), enforce_file_format=True)
        session.add(
            Instance(
                sop_instance_uid=uid, study_instance_uid=study_uid, series_instance_uid=series_uid,
                sop_class_uid=str(ds.SOPClassUID), transfer_syntax_uid=str(ds.file_meta.TransferSyntaxUID),
                content_sha256=uid[-64:], file_name=name, size_bytes=1, received_at=NOW, indexed=True,
            )
        )  # fmt: skip
        session.flush()
        index(session, study, [IndexedInstance(uid, series_uid, read_header(ds))], SITE_KEY)
    if harvest:
        save_study(session, read_study(session, study_uid, files), NOW)
    return study_uid


def small_network(classes: int = 2, seed: int = 5) -> LesionDetector:
    torch.manual_seed(seed)
    settings = NetworkSettings(
        body="resnet18", channels=3, classes=classes, pyramid=16, head=16, proposals=12, boxes=4, freeze_norm=False
    )
    return build(settings).eval()


def register(sessions: Sessions, files: LocalFiles, network: LesionDetector, curve: list[tuple[float, float]]) -> str:
    """A model whose classes are named for their labels; returns its id."""
    content = weights_bytes(network)
    digest = hashlib.sha256(content).hexdigest()
    files.write(names_of(digest)[0], content)
    names = [f"kind {label}" for label in range(1, network.settings.classes)]
    with sessions.begin() as session:
        registry.keep_training_set(session, "set", [], None, NOW)
        return registry.register(
            session, weights_sha256=digest, weights_name=names_of(digest)[0], training_set_id="set",
            label_generation=None, card=card_of(network, INPUTS, MergeSettings(), names, curve), froc={}, gate={},
            git_commit="", now=NOW,
        ).model_id  # fmt: skip
