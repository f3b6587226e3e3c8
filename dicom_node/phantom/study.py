"""One phantom study: images, the reports of its simulated reader, and the truth. Pure.

Its promise: `make_study` gives the same bytes for the same arguments, whatever was made before.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from dicom_node.phantom.acquisition import draw_acquisition
from dicom_node.phantom.body import paint_body, scan
from dicom_node.phantom.gsps_reports import gsps_report
from dicom_node.phantom.lesions import PlacedLesion, grow_lesions
from dicom_node.phantom.lookalikes import add_lookalikes
from dicom_node.phantom.physique import draw_physique
from dicom_node.phantom.readings import Dialect, read_study
from dicom_node.phantom.series import ct_series
from dicom_node.phantom.settings import PhantomSettings, Visit, visit_of
from dicom_node.phantom.sr_reports import sr_report
from dicom_node.phantom.truth import PhantomLesion, PhantomLookalike, truth_of_lesion, truth_of_lookalike

DEFAULT = PhantomSettings()


@dataclass(frozen=True, slots=True)
class PhantomStudy:
    """`images` in the order of their Instance Number; nothing marked: `reports` is empty and `dialect` None."""

    patient_id: str
    study_instance_uid: str
    dialect: Dialect | None
    images: list[Dataset]
    reports: list[Dataset]
    lesions: tuple[PhantomLesion, ...]
    lookalikes: tuple[PhantomLookalike, ...]


def make_study(seed: int, index: int, settings: PhantomSettings = DEFAULT) -> PhantomStudy:
    """Study `index` of the run `seed`; every seventh is a follow-up of one of the six patients before it.

    Raises ValueError for negative numbers.
    """
    visit = visit_of(seed, index)
    physique = draw_physique(visit)
    acquisition = draw_acquisition(visit, physique, settings)
    canvas = paint_body(acquisition.grid, physique)
    lookalikes = add_lookalikes(canvas, physique, visit)
    wanted = int(visit.patient_rng("count").integers(settings.lesions[0], settings.lesions[1] + 1))
    placed = grow_lesions(canvas, visit, physique.phase, wanted)
    marked = _marked(visit, placed, settings)
    truths = (truth_of_lesion(canvas, visit, acquisition, lesion, lesion.number in marked) for lesion in placed)
    lesions = tuple(truth for truth in truths if truth is not None)
    images = ct_series(scan(canvas, acquisition.kernel, visit.study_rng("scan")), visit, physique, acquisition)
    session = read_study(visit, images, lesions, acquisition.started_at)
    reports = [] if session is None else [(gsps_report if session.dialect is Dialect.GSPS else sr_report)(session)]
    return PhantomStudy(
        patient_id=visit.patient_id,
        study_instance_uid=visit.uid("study"),
        dialect=session.dialect if session else None,
        images=sorted(images, key=lambda ds: int(ds.InstanceNumber)),
        reports=reports,
        lesions=lesions,
        lookalikes=tuple(truth_of_lookalike(visit, acquisition, lookalike) for lookalike in lookalikes),
    )


def _marked(visit: Visit, placed: list[PlacedLesion], settings: PhantomSettings) -> set[int]:
    """Numbers of the lesions that the reader measures; the same in both studies of a patient."""
    rng = visit.patient_rng("marked")
    if not placed or settings.marked_share == 0 or rng.random() < settings.unread_share:
        return set()
    expected = settings.marked_share * len(placed)
    count = max(1, int(expected) + int(rng.random() < expected % 1))
    return {placed[i].number for i in rng.permutation(len(placed))[:count]}
