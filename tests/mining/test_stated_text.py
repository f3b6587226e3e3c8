"""Texts beside drawings: lengths in the ways of many countries, names of lesions, and what is of none."""

import time

import pytest

from mining.stated_text import is_of_no_lesion, lesion_named_in, stated_in_text, states_intensity_alone


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("23.1 x 14.0 mm", (23.1, 14.0)),
        ("TL1: 23,1 × 14,0 mm", (23.1, 14.0)),
        ("23.1mm × 14mm", (23.1, 14.0)),
        ("2.3 cm", (23.0,)),
        ("2.3cm x 14mm", (23.0, 14.0)),
        ("2.3 x 1.4 cm", (23.0, 14.0)),
        ("23 by 14 mm", (23.0, 14.0)),
        ("23 mal 14 mm", (23.0, 14.0)),
        ("23 x 14 x 10 mm", (23.0, 14.0)),
        ("2,3 x 1,4 x 1,0 cm", (23.0, 14.0)),
        ("12 mm / 7 mm", (12.0, 7.0)),
        ("D1: 23 mm D2: 14 mm", (23.0, 14.0)),
        ("L: 2.3 cm", (23.0,)),
        ("Länge 23,1 mm", (23.1,)),
        ("長径 23mm", (23.0,)),
        ("長径23㎜", (23.0,)),
        ("２３．１ ｍｍ", (23.1,)),
        ("２３．１×１４ｍｍ", (23.1, 14.0)),
        ("長径 2.3 センチ", (23.0,)),
        ("2,3 厘米", (23.0,)),
        ("٢٣٫١ × ١٤ مم", (23.1, 14.0)),
        ("२३.१ mm", (23.1,)),
        ("23,1 х 14 мм", (23.1, 14.0)),
        ("2,3 см", (23.0,)),
        ("Ø 12 mm", (12.0,)),
        ("Durchm.: 12 mm", (12.0,)),
        ("23,4\u00a0mm", (23.4,)),
        ("23,4\u202fmm", (23.4,)),
        ("Area 3,2 cm², Ø 21 mm", (21.0,)),
        ("Area 120 mm2", ()),
        ("Area 120 mm²", ()),
        ("Area 120 mm^2, mean 45 HU", ()),
        ("Vol 3.2 cm³", ()),
        ("Perimeter 61 mm, 23 mm", (23.0,)),
        ("Umfang: 61,2 mm", ()),
        ("peak 23 cm/s", ()),
        ("45 HU", ()),
        ("45°", ()),
        ("23 x 14", ()),
        ("TL1 23x14", (23.0, 14.0)),
        ("12345.6 mm", ()),
        ("1.234,5 mm", ()),
        ("1 234,5 mm", ()),
        ("1'234.5 mm", ()),
        (".5 cm", ()),
        ("L .5 cm", ()),
        ("Max.23 mm", (23.0,)),
        ("Slice thickness 5 mm; L 23 mm", (23.0,)),
        ("L 23 mm, slice location: -112.5 mm", (23.0,)),
        ("FOV 350 x 350 mm 23.1 x 14 mm", (23.1, 14.0)),
        ("DFOV: 35cm x 35cm, 23 mm", (23.0,)),
        ("Slice 12: 23 mm", (23.0,)),
        ("\ufffd23 mm\ufffd", (23.0,)),
        ("", ()),
    ],
)
def test_lengths_are_read_from_texts(text: str, stated: tuple[float, ...]) -> None:
    assert stated_in_text(text) == pytest.approx(stated)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("TL2", "TL2"),
        ("NTL 3: 12 mm", "NTL 3"),
        ("target lesion 2 - 23 x 14 mm", "target lesion 2"),
        ("Non-target 1", "Non-target 1"),
        ("Zielläsion 4, 2,3 cm", "Zielläsion 4"),
        ("Lésion cible n° 2", ""),
        ("標的病変1 23mm", "標的病変1"),
        ("ＴＬ２", "TL2"),
        ("Lesion 23 mm", ""),
        ("Lesion 23 x 14 mm", ""),
        ("Lesion 2 23 mm", "Lesion 2"),
        ("nodule 2.3 cm", ""),
        ("title 3", ""),
        ("T1", ""),
    ],
)
def test_a_lesion_has_the_name_that_a_text_gives_it(text: str, name: str) -> None:
    assert lesion_named_in(text) == name


@pytest.mark.parametrize(
    ("text", "none"),
    [
        ("45°", True),
        ("45,2 º", True),
        ("12 deg", True),
        ("37 °C", False),
        ("45° 23 mm", False),
        ("Kalibrierung 10 cm", True),
        ("Calibrated: 50 mm", True),
        ("Aortic root 32 mm", True),
        ("Kidney length 11,2 cm", True),
        ("23 mm", False),
        ("Gradient 3 mm", False),
        ("Grade 2", False),
    ],
)
def test_an_angle_a_scale_and_the_size_of_an_organ_are_of_no_lesion(text: str, none: bool) -> None:
    assert is_of_no_lesion(text) is none


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ("Mean 45 HU, SD 12", True),
        ("45 HE", True),
        ("SUVmax 4.2", True),
        ("Area 120 mm², mean 45 HU", False),
        ("23 mm, 45 HU", False),
        ("Vol 3.2 cm³ Mean 45", False),
        ("meaningful", False),
        ("TL1", False),
        ("", False),
    ],
)
def test_a_text_may_state_what_voxels_hold_and_no_size(text: str, alone: bool) -> None:
    assert states_intensity_alone(text) is alone


@pytest.mark.parametrize("part", ["1 x 2 x 3 ", "9", "target lesion ", "١ ", "23 mm x ", ". , ", "1'"])
def test_no_text_takes_long(part: str) -> None:
    text = (part * 4000)[:4000]
    start = time.process_time()
    stated_in_text(text), lesion_named_in(text), is_of_no_lesion(text)
    assert time.process_time() - start < 0.5
