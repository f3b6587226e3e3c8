"""A region that only samples the image's values is a place; one with a size, or of a lesion, is measured."""

import pytest
from builders import (
    AREA,
    FINDING,
    NODULE,
    SERIES,
    annotation,
    code,
    graphic,
    group,
    image,
    num,
    scoord,
    text_object,
    tid1500,
)
from builders_gsps import state
from pydicom.dataset import Dataset

from db.geometry import PointPx
from db.measurement import Found, ImageReference, Measurement, WeakLabel
from mining.readers.gsps import read_gsps
from mining.readers.sr import read_sr

IMAGE = f"{SERIES}.1"
ELLIPSE = ((10.0, 20.0), (30.0, 20.0), (20.0, 15.0), (20.0, 25.0))
MEAN = ("112031", "DCM", "Attenuation Coefficient")


def of_report(*children: Dataset, tracking_id: str = "") -> list[Found]:
    return list(read_sr(tid1500(group(*children, tracking_uid="1.2.3", tracking_id=tracking_id))))


def sample(unit: str = "[hnsf'U]") -> Dataset:
    return num(MEAN, 45.0, unit, scoord("ELLIPSE", ELLIPSE, image(IMAGE)))


@pytest.mark.parametrize("unit", ["[hnsf'U]", "HU", "{SUVbw}g/ml", "g/ml{SUVbw}", "Bq/ml"])
def test_a_region_for_the_mean_alone_is_a_place(unit: str) -> None:
    (one,) = of_report(sample(unit))
    assert isinstance(one, WeakLabel)
    assert (one.image, one.point) == (ImageReference(IMAGE), PointPx(20.0, 20.0))


def test_a_region_with_its_area_is_an_outline() -> None:
    (one,) = of_report(sample(), num(AREA, 160.0, "mm2", scoord("ELLIPSE", ELLIPSE, image(IMAGE))))
    assert isinstance(one, Measurement) and one.derived


def test_a_region_of_a_nodule_and_of_a_named_lesion_are_outlines() -> None:
    for found in (of_report(sample(), code(FINDING, NODULE)), of_report(sample(), tracking_id="TL1")):
        (one,) = found
        assert isinstance(one, Measurement)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Mean 45 HU, SD 12", WeakLabel),
        ("Area 160 mm2, mean 45 HU", Measurement),
        ("TL1 45 HU", Measurement),
        ("23 mm, 45 HU", Measurement),
    ],
)
def test_a_presentation_state_samples_by_its_text(words: str, kind: type) -> None:
    drawn = annotation([graphic("ELLIPSE", ELLIPSE)], [text_object(words, (31.0, 20.0))], [IMAGE])
    (one,) = read_gsps(state(drawn))
    assert type(one) is kind
