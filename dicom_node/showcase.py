"""The demo's report: one page that explains by pictures what the node did. Shell: it writes one file.

The page needs nothing but itself: images are data URIs, the style stands inside, there is no script.
"""

from __future__ import annotations

import os
from pathlib import Path

from detector.froc import HIT_IOU
from dicom_node.showcase_facts import DemoFacts
from dicom_node.showcase_pictures import COLOURS, data_uri, froc_curve, loss_curve, stage
from dicom_node.web.rendering import environment

MEASURED_PX, COMPARED_PX = 232.0, 232.0


def report_html(facts: DemoFacts) -> str:
    """The whole page. Pure."""
    return (
        environment()
        .get_template("showcase.html")
        .render(
            facts=facts,
            colours=COLOURS,
            hit_iou=HIT_IOU,
            measured=[stage(scene, MEASURED_PX) for scene in facts.measured],
            compared=[stage(scene, COMPARED_PX) for scene in facts.compared],
            montage=data_uri(facts.montage_png, "image/png") if facts.montage_png else "",
            losses=loss_curve(facts.losses) if facts.losses else "",
            froc=froc_curve(facts.froc) if facts.froc else "",
        )
    )


def write_report(path: Path, facts: DemoFacts) -> None:
    """Write the page; a reader sees the old one or the new one, never half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(report_html(facts), "utf-8")
    temporary.replace(path)
