"""Whether words name the size of something that everybody has: an aorta, a kidney, a heart, a fetus, a spine. Pure.

People measure these with the same tools as lesions. The name of an organ alone says nothing, for it is also how a
lesion in it is labelled; so the words must name a measure of its own, or a vessel that is measured for itself. Where
they also name a lesion, or what was found in the organ, it is one.
"""

from __future__ import annotations

import re

from mining.region_kind import RegionKind, kind_of_name

LONGEST_WORDS = 500

_ABBREVIATIONS = re.compile(
    r"(?<![A-Za-z])(?:BPD|CRL|LVIDd?s?|LVEDD|LVESD|IVSd?s?|LVPWd?s?|LVOT|TAPSE|CIMT|IMT|CBD|DHC|CTR)(?![A-Za-z])"
)
"""Of fetal, cardiac and vascular measures, and of the bile duct; in small letters they could be anything."""

_OWN_MEASURES = re.compile(
    r"\b(?:biparietal|crown[ -]rump|(?:head|abdominal) circumference|(?:femur|humerus|cervical) length"
    r"|nuchal translucency|gestational sac|yolk sac|endometri(?:um|al) thickness"
    r"|(?:inter)?ventricular septum|(?:left|right) (?:ventric|atri)\w*(?: \w+){0,3} (?:diameter|dimension|thickness)"
    r"|(?:left|right) (?:ventricle|atrium)|posterior wall thickness|cardio-?thoracic"
    r"|intima[ -]media|cobb|spinal canal|vertebral (?:body )?height|dis[ck] height"
    r"|common bile duct|choledoch\w*|(?:aortic|mitral|tricuspid|valve) annulus"
    r"|(?:ascending|descending|thoracic|abdominal) aorta diameter"
    r"|aortic (?:root|arch|diameter|width|bulb|valve)|(?:pulmonary (?:trunk|artery)|portal vein|vena cava) diameter"
    r"|aortendurchmesser|nierenl[äa]nge|milzl[äa]nge|milzgr[öo](?:ß|ss)e|lebergr[öo](?:ß|ss)e)",
    re.IGNORECASE,
)

_ORGAN_SIZE = re.compile(
    r"\b(?:kidney|renal|liver|hepatic|spleen|splenic|pancreas|uterus|uterine|ovary|ovarian|prostate|bladder|thyroid|heart"
    r"|niere|leber|milz)s? (?:length|size|height|width|span|thickness)\b(?!\s*[:=])",
    re.IGNORECASE,
)
"""With a colon behind the measure it is what a viewer writes below any label: `Liver Length: 23 mm`."""

_VESSEL_ALONE = re.compile(
    r"^\W*(?:(?:asc|desc)(?:ending|\.)? |(?:thoracic|abdominal|infrarenal) )?(?:bauch)?aorta(?: (?:asc|desc)\w*)?"
    r"(?:\W|\d|mm\b|cm\b|diameter\b|length\b)*$",
    re.IGNORECASE,
)

_ABOUT_ANOTHER_THING = re.compile(
    r"stone|calcul|thromb|embol|aneur[yi]sm|stein|plaque|\b(?:l[nk]s?|near|next|adjacent|beside|behind|above|below|under"
    r"|along|around|between|close|abut\w*|contact\w*|in|on|at|of|from|neben|bei|am|im|an)\b",
    re.IGNORECASE,
)
"""What was found in an organ, and words that say where something lies: `nodular, at the aortic arch`."""


def is_size_of_organ(words: str) -> bool:
    """Whether words name what was measured, and it is no lesion: `Aortic root`, `Kidney length 11.2 cm`, `BPD`."""
    words = words[:LONGEST_WORDS]
    if not any(named.search(words) for named in (_ABBREVIATIONS, _OWN_MEASURES, _ORGAN_SIZE, _VESSEL_ALONE)):
        return False
    return kind_of_name(words) is not RegionKind.LESION and _ABOUT_ANOTHER_THING.search(words) is None
