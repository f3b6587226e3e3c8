"""Which words name the size of an organ, and which a lesion in it."""

import pytest

from mining.organ_sizes import is_size_of_organ


@pytest.mark.parametrize(
    "words",
    [
        "Aorta 32 mm",
        "Asc. aorta: 41 mm",
        "Aorta ascendens 42 mm",
        "Aortic root",
        "aortic diameter 32 mm",
        "Left Kidney Length",
        "Kidney length 11.2 cm",
        "Spleen size 11 cm",
        "Milzgröße 11 cm",
        "Biparietal Diameter",
        "Crown Rump Length",
        "BPD 45 mm",
        "LVIDd 45 mm",
        "Interventricular Septum Diastolic Thickness",
        "Left Ventricle Internal End Diastolic Dimension",
        "CBD 6 mm",
        "Endometrium thickness",
        "Cobb",
        "Spinal canal 9 mm",
    ],
)
def test_the_size_of_an_organ_is_known_by_its_words(words: str) -> None:
    assert is_size_of_organ(words)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "23 mm",
        "Length: 23 mm",
        "Long Axis",
        "Liver 23 mm",
        "Liver Length: 23 mm",
        "Liver seg 6 diameter 23 mm",
        "TL1 liver",
        "kidney cyst length 23 mm",
        "Renal mass size 4 cm",
        "lymph node aorta 12 mm",
        "LN aorta 12 mm",
        "paraaortic 12 mm",
        "Aorta thrombus 12 mm",
        "Aortic aneurysm diameter 52 mm",
        "CBD stone 6 mm",
        "Left atrial mass diameter",
        "next to the aorta 12 mm",
        "bpd",
        "adjacent to the aortic arch 23 mm",
        "Nodular, at the aortic root",
    ],
)
def test_a_lesion_in_an_organ_and_a_plain_length_stay(words: str) -> None:
    assert not is_size_of_organ(words)
