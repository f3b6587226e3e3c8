"""`dicom-node translate`: the marks of people in a study, written anew so that viewers take them up. Shell.

Promise: what is written stands in the ledger of translations before it leaves, so it is never harvested; the same
marks again give the same object.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from io import BytesIO
from pathlib import Path
from shutil import copyfile

from db import translations
from db.engine import reading, utc_now
from db.errors import RequestError
from db.files import name_part
from db.models import Study
from db.uids import uid_from
from dicom_node import acts, ways_out
from dicom_node.building import model_description
from dicom_node.config import Peer
from dicom_node.node import Node
from dicom_node.report.context import Identity, InstanceReference
from dicom_node.translation import SERIES_NUMBER, SOP_CLASS_UID, translation
from dicom_node.translation_drafts import Draft, LeftAlone, drafts_of

DEVICE = "Lesion node translator"


@dataclass(frozen=True, slots=True)
class Translated:
    """One document written anew, or why it was not. file_name: in the file store; empty if it was not."""

    source_sop_instance_uid: str
    kind: str
    marks: int
    sop_instance_uid: str = ""
    file_name: str = ""
    why_not: str = ""


def translate(node: Node, study_instance_uid: str) -> list[Translated]:
    """Every document with marks of people on the images of a study; what was written is in the ledger at the end.

    Raises RequestError if there is no such study.
    """
    with reading(node.sessions) as session:
        if session.get(Study, study_instance_uid) is None:
            raise RequestError("there is no such study here", study=study_instance_uid)
        drafts = drafts_of(session, node.files, study_instance_uid)
    return [
        _left(draft) if isinstance(draft, LeftAlone) else _kept(node, study_instance_uid, draft) for draft in drafts
    ]


def write(node: Node, done: Sequence[Translated], folder: Path) -> list[Path]:
    """Copies of what was translated, named by their UIDs."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for each in done:
        if each.file_name:
            written.append(folder / f"{each.sop_instance_uid}.dcm")
            copyfile(node.files.path(each.file_name), written[-1])
    return written


def send(node: Node, done: Sequence[Translated], peer: Peer, actor: str) -> Iterator[tuple[Translated, str]]:
    """Send what was translated, one after the other, and what the peer answered to each. Raises PeerError."""
    for each in done:
        if not each.file_name:
            continue
        path = node.files.path(each.file_name)
        stored = ways_out.send(peer, node.config.dicom.ae_title, path, SOP_CLASS_UID)
        with node.sessions.begin() as session:
            acts.note(
                session, utc_now(), actor, translations.SENT, each.sop_instance_uid,
                destination=peer.name, answer=stored.answer,
            )  # fmt: skip
        yield each, stored.answer


def _left(draft: LeftAlone) -> Translated:
    return Translated(draft.source_sop_instance_uid, draft.kind, draft.marks, why_not=draft.why_not)


def _kept(node: Node, study_instance_uid: str, draft: Draft) -> Translated:
    """The file, and then its row; what was translated before stands as it is."""
    uid = draft.sop_instance_uid
    name = f"results/{name_part(study_instance_uid)}/{uid}.dcm"
    known = {row.result_sop_instance_uid: row.created_at for row in draft.earlier}
    if uid not in known or not node.files.path(name).exists():
        made_at = known.get(uid, utc_now())
        node.files.write(name, _content(node, study_instance_uid, draft, made_at))
        with node.sessions.begin() as session:
            translations.record(
                session,
                result_sop_instance_uid=uid,
                source_sop_instance_uid=draft.source_sop_instance_uid,
                study_instance_uid=study_instance_uid,
                file_name=name,
                now=made_at,
            )
    return Translated(draft.source_sop_instance_uid, draft.original.kind, len(draft.marks), uid, name)


def _content(node: Node, study_instance_uid: str, draft: Draft, made_at: datetime) -> bytes:
    """A later translation of the same document replaces the earlier one; the document itself it never replaces."""
    series = uid_from("translation series", draft.source_sop_instance_uid, study_instance_uid)
    earlier = [row for row in draft.earlier if row.created_at < made_at]
    identity = Identity(
        series,
        draft.sop_instance_uid,
        SERIES_NUMBER,
        instance_number=len(earlier) + 1,
        predecessors=tuple(
            InstanceReference(study_instance_uid, series, SOP_CLASS_UID, row.result_sop_instance_uid)
            for row in earlier[-1:]
        ),
    )
    device = replace(model_description(node, "none"), name=DEVICE)
    report = translation(draft.marks, draft.slices, draft.original, device, identity, made_at)
    content = BytesIO()
    report.save_as(content, enforce_file_format=True)
    return content.getvalue()
