"""The headers of a settled study → the rows of its images once more, as after an upgrade that reads more. Shell."""

from __future__ import annotations

import logging

from sqlalchemy import select

from db.contents import CURRENT, contents_of
from db.engine import Sessions, reading
from db.files import FileStore
from db.indexing import index_images
from db.lost import gone
from db.models import Instance
from db.studies import revisions
from dicom_node.settle import read_headers

log = logging.getLogger(__name__)


def index_again(sessions: Sessions, files: FileStore, study_instance_uid: str) -> None:
    """Write the rows of a study's images anew; patient, study and state stay as they are.

    A study that settles meanwhile is left alone, for then it was read anew.
    """
    of_study = select(Instance.sop_instance_uid).where(Instance.study_instance_uid == study_instance_uid)
    with reading(sessions) as session:
        before = revisions(session, [study_instance_uid])
        every = contents_of(session, of_study, [CURRENT])
    contents = [content for content in every if content.study_instance_uid == study_instance_uid and not content.new]
    lost = {content.instance_pk for content in gone(files, contents)}
    indexed, _ = read_headers(files, [content for content in contents if content.instance_pk not in lost])
    with sessions.begin() as session:
        if revisions(session, [study_instance_uid], lock=True) == before:
            index_images(session, indexed)
        else:
            log.info("study=%s settled while its headers were read again", study_instance_uid)
