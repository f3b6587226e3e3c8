"""What is meant as a lesion, and what is an organ, a target with a margin, or nobody knows."""

import pytest

from db.codes import Code
from mining.region_kind import RegionKind, kind_of_name, kind_of_region

LESION, ANATOMY, MARGIN, UNCLEAR = RegionKind.LESION, RegionKind.ANATOMY, RegionKind.MARGIN, RegionKind.UNCLEAR


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("GTV", LESION),
        ("GTVp_1", LESION),
        ("gtv-2", LESION),
        ("Lesion No 1", LESION),
        ("LungNodule", LESION),
        ("non-solid nodule", LESION),
        ("Läsion", LESION),
        ("Tumeur gauche", LESION),
        ("Rundherd rechts", LESION),
        ("Nódulo 3", LESION),
        ("METASTASIS liver", LESION),
        ("left lymph-node", LESION),
        ("Lymphknoten", LESION),
        ("target 2", LESION),
        ("tumor_User1", LESION),
        ("ganglio linfático", LESION),
        ("Linfonodo 3", LESION),
        ("GTV_MRI", LESION),
        ("nodule with an irregular margin", LESION),
        ("lesion-2", LESION),
        ("Nodule - 12 mm", LESION),
        ("GTV+5mm", MARGIN),
        ("GTV_1 - 5 mm", MARGIN),
        ("GTV ring", MARGIN),
        ("Ring_GTV", MARGIN),
        ("TumorMargin", MARGIN),
        ("Dorsal root ganglion", UNCLEAR),
        ("Lung_L_sub_GTV", UNCLEAR),
        ("OffTarget", UNCLEAR),
        ("Background near lesion", UNCLEAR),
        ("lymph node level IIa", UNCLEAR),
        ("elective lymph nodes", UNCLEAR),
        ("mass effect", UNCLEAR),
        ("PTV", MARGIN),
        ("CTV_boost", MARGIN),
        ("PTV GTV+5mm", MARGIN),
        ("iGTV", MARGIN),
        ("Target Volume", MARGIN),
        ("Lungs-GTV", UNCLEAR),
        ("Liver - GTV", UNCLEAR),
        ("lung minus tumor", UNCLEAR),
        ("liver without tumor", UNCLEAR),
        ("tumor bed", UNCLEAR),
        ("tumour-free rim", UNCLEAR),
        ("Masseter L", UNCLEAR),
        ("Cystic duct", UNCLEAR),
        ("Segment 1", UNCLEAR),
        ("Liver", UNCLEAR),
        ("", UNCLEAR),
    ],
)
def test_a_name_says_what_a_region_is(name: str, kind: RegionKind) -> None:
    assert kind_of_name(name) is kind


ALTERED = Code("49755003", "SCT", "Morphologically Altered Structure")
ANATOMICAL = Code("T-D000A", "SRT", "Anatomical Structure")
TISSUE = Code("85756007", "SCT", "Tissue")
BONE = Code("272673000", "SCT", "Bone")


@pytest.mark.parametrize(
    ("category", "coded", "name", "kind"),
    [
        (ALTERED, Code("79654002", "SCT", "Edema"), "", LESION),
        (None, Code("T-A7010", "SRT", "Spinal cord"), "", ANATOMY),
        (None, Code("64033007", "SCT", "Kidney structure"), "", ANATOMY),
        (None, Code("10200004", "SCT", "Liver"), "Lesion 2", LESION),
        (None, Code("T-C4000", "SRT", "Lymph node"), "", LESION),
        (None, Code("", "", "Liver"), "", UNCLEAR),
        (None, Code("LIV", "99SITE", "Liver"), "", UNCLEAR),
        (Code("M-01000", "SRT", ""), None, "", LESION),
        (Code("9", "99LOCAL", "Morphologic abnormality"), None, "", LESION),
        (None, Code("M-80006", "SRT", "Neoplasm, Secondary"), "", LESION),
        (TISSUE, Code("27925004", "SCT", "Nodule"), "", LESION),
        (None, Code("1", "99LOCAL", "Hepatic metastasis"), "", LESION),
        (ANATOMICAL, Code("T-C4000", "SRT", "Lymph node"), "", LESION),
        (None, Code("1", "99LOCAL", "Gross tumor volume"), "", LESION),
        (None, Code("2", "99LOCAL", "Clinical Target Volume"), "GTV", MARGIN),
        (TISSUE, TISSUE, "tumor", LESION),
        (ANATOMICAL, Code("T-71000", "SRT", "Kidney"), "renal cyst", LESION),
        (TISSUE, TISSUE, "PTV", MARGIN),
        (ANATOMICAL, Code("T-62000", "SRT", "Liver"), "Liver", ANATOMY),
        (TISSUE, BONE, "first segment", ANATOMY),
        (TISSUE, None, "", ANATOMY),
        (Code("309825002", "SCT", "Spatial and Relational Concept"), Code("125040", "DCM", "Background"), "", ANATOMY),
        (Code("7", "99LOCAL", "Anatomical structure"), None, "", ANATOMY),
        (TISSUE, TISSUE, "Segment 1", UNCLEAR),
        (ANATOMICAL, BONE, "Lung-GTV", UNCLEAR),
        (Code("8", "99LOCAL", "Other"), BONE, "", UNCLEAR),
        (None, BONE, "", UNCLEAR),
        (None, None, "", UNCLEAR),
    ],
)
def test_codes_go_before_names_and_a_name_before_the_category_of_anatomy(
    category: Code | None, coded: Code | None, name: str, kind: RegionKind
) -> None:
    assert kind_of_region(category, coded, name) is kind
