"""Results of one study in the outbox, for the tests of their delivery."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from arriving import STUDY, ct, with_meta
from pydicom.uid import CTImageStorage
from sqlalchemy import update

from db import deliveries
from db.engine import Sessions, reading, utc_now
from db.models import Study
from db.outcomes import Analysis, Delivery, Result
from dicom_node.config import Config, Peer
from dicom_node.deliver import deliver
from dicom_node.node import Node
from dicom_node.store import LocalFiles

RESULT = "2.25.7001"


class Outbox:
    """Results of one study that wait for 'Archive'."""

    def __init__(self, sessions: Sessions, files: LocalFiles) -> None:
        self.sessions, self.files = sessions, files
        with sessions.begin() as session:
            now = utc_now()
            session.add(
                Study(
                    study_instance_uid=STUDY,
                    received_first_at=now,
                    received_last_at=now,
                    settled_at=now,
                    state="settled",
                    revision=1,
                    analysed_revision=1,
                )
            )
        self.analyse("a", revision=1, state="found")

    def analyse(self, analysis_id: str, revision: int, state: str) -> None:
        """An analysis of the study in a revision of it."""
        with self.sessions.begin() as session:
            session.add(
                Analysis(
                    analysis_id=analysis_id,
                    study_instance_uid=STUDY,
                    study_revision=revision,
                    state=state,
                    started_at=utc_now(),
                    finished_at=utc_now(),
                )
            )

    def put(self, uid: str = RESULT, mode: str = "send", **changes: object) -> int:
        """A result into the outbox; the key of its delivery. It is a CT, which our scripted peer takes."""
        ds = with_meta(ct(1, SOPInstanceUID=uid, **changes))
        path = self.files.path(f"{uid}.dcm")
        ds.save_as(path, enforce_file_format=True)
        with self.sessions.begin() as session:
            session.add(
                Result(
                    result_sop_instance_uid=uid,
                    analysis_id="a",
                    kind="SR",
                    profile="ohif",
                    sop_class_uid=CTImageStorage,
                    series_instance_uid="2.25.7",
                    file_name=path.name,
                    created_at=utc_now(),
                )
            )
            session.flush()
            deliveries.put(session, uid, "Archive", mode, utc_now())
            (delivery_pk,) = deliveries.of_result(session, uid, "Archive")
        return delivery_pk

    def change(self, model: type[Study | Result], **values: object) -> None:
        with self.sessions.begin() as session:
            session.execute(update(model).values(**values))

    def node(self, peer: Peer, **changes: object) -> Node:
        """`changes`: to a peer that takes reports at once."""
        wants = peer.model_copy(update={"deliver": ["ohif"], "mode": "send"} | changes)
        return Node(Config(data_dir=self.files.data_dir, peers=[wants]), self.sessions, self.files)

    def deliver(self, delivery_pk: int, peer: Peer, clock: Callable[[], datetime] = utc_now, **changes: object) -> str:
        return deliver(self.node(peer, **changes), delivery_pk, clock)

    def row(self, delivery_pk: int) -> Delivery:
        with reading(self.sessions) as session:
            return session.get_one(Delivery, delivery_pk)
