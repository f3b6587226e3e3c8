"""`dicom-node preview`: what would be sent for a study, as files for a person to look at. Shell.

Nothing is written into the node: no ledger, no outbox, no file store.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from shutil import copyfile

from db import analyses, lost
from db.engine import reading
from db.errors import RequestError
from db.models import Study
from db.outcomes import Analysis, Result
from dicom_node.building import encodings, material_of, result_uid
from dicom_node.node import Node


def preview(node: Node, study_instance_uid: str, profiles: Collection[str], folder: Path) -> list[Path]:
    """The files written, `PROFILE.dcm` each: what was made already as it stands, the rest as it would be made now.

    A profile that has nothing to say of the study has no file. Raises RequestError if the study as it is now was not
    analysed, LostFile and ContentError as the making of results does.
    """
    with reading(node.sessions) as session:
        study = session.get(Study, study_instance_uid)
        if study is None:
            raise RequestError("there is no such study here", study=study_instance_uid)
        analysis = _looked_at(analyses.newest(session, study_instance_uid, study.revision), study_instance_uid)
        material = material_of(session, node, analysis)
        standing = {
            name: node.files.path(row.file_name)
            for name in profiles
            if (row := session.get(Result, result_uid(analysis, name))) is not None
        }
        missing = lost.gone(node.files, material.images)
    new = set(profiles) - standing.keys()
    if new and missing and analysis.state != analyses.FAILED:
        raise lost.lost_file(missing)
    made = encodings(node, material, new, missing)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, path in sorted(standing.items()):
        written.append(folder / f"{name}.dcm")
        copyfile(path, written[-1])
    for profile, dataset, _ in made:
        written.append(folder / f"{profile.name}.dcm")
        dataset.save_as(written[-1], enforce_file_format=True)
    return written


def _looked_at(analysis: Analysis | None, study_instance_uid: str) -> Analysis:
    if analysis is None:
        raise RequestError(
            "the study as it is now was not analysed, so there is no result; see `dicom-node jobs list`",
            study=study_instance_uid,
        )
    if analysis.state == analyses.NOT_ANALYSED:
        raise RequestError(f"the study was not analysed: {analysis.reason}", study=study_instance_uid)
    return analysis
