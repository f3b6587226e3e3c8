"""PixelMed's DicomSRValidator, which IHE's Connectathons judge reports by; Debian's libpixelmed-java."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from orthanc import missing

JARS = Path("/usr/share/java")
CLASS_PATH = ("pixelmed", "commons-codec", "commons-net", "hsqldb", "jaxb-api", "jmdns", "slf4j-api", "vecmath")
UNLIMITED = ("xpathExprGrpLimit", "xpathExprOpLimit", "xpathTotalOpLimit")
"""The rules are larger than what a JVM takes for an attack."""
FOR_A_SHORT_RUN = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


def validate(files: Sequence[Path]) -> dict[Path, str]:
    """What the validator says of each file; skips where it is missing, which under CI=true is a failure."""
    if shutil.which("javac") is None or not (JARS / "pixelmed.jar").exists():
        missing("PixelMed or a JDK is not installed (make peers)")
    class_path = ":".join(str(JARS / f"{name}.jar") for name in CLASS_PATH)
    limits = [f"-Djdk.xml.{name}=0" for name in UNLIMITED]
    program = Path(__file__).parent / "SrValidator.java"
    done = subprocess.run(
        ["java", *FOR_A_SHORT_RUN, *limits, "-cp", class_path, program, *files],
        capture_output=True,
        text=True,
        check=True,
    )
    said = done.stdout.split("== ")[1:]
    return {Path(name): text for name, _, text in (each.partition("\n") for each in said)}
