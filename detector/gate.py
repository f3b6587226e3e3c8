"""Whether a candidate may take the incumbent's place by itself. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from detector.froc import Interval, ScanResult, paired_difference


@dataclass(frozen=True, slots=True)
class GateSettings:
    """What `not worse` means."""

    margin: float = 0.05
    """The mean sensitivity may be so much lower, at the lower bound of the interval of the paired difference."""
    least_lesions: int = 20
    """With fewer lesions in the frozen set only a person promotes."""
    seed: int = 0
    draws: int = 1000


@dataclass(frozen=True, slots=True)
class Verdict:
    """promote: the gate promotes. Otherwise the model stays a candidate, and a person may still promote it."""

    promote: bool
    sentence: str
    lesions: int
    difference: Interval | None = None
    incumbent: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def decide(
    candidate: Sequence[ScanResult],
    incumbent: Sequence[ScanResult] | None,
    settings: GateSettings,
    incumbent_id: str = "",
) -> Verdict:
    """Compare two models on the frozen set; both results are of the same scans in the same order.

    incumbent: None without a promoted model.
    """
    lesions = sum(sum(scan.counts) for scan in candidate)
    if incumbent is None:
        return Verdict(False, "There is no promoted model to compare with: a person must promote the first.", lesions)
    if lesions < settings.least_lesions:
        sentence = f"The frozen set has {lesions} lesions, fewer than {settings.least_lesions}: a person must decide."
        return Verdict(False, sentence, lesions, None, incumbent_id)
    difference = paired_difference(candidate, incumbent, settings.seed, settings.draws)
    promote = difference.low > -settings.margin
    words = "not worse than" if promote else "not shown to be as good as"
    sentence = (
        f"The candidate is {words} {incumbent_id or 'the promoted model'}: difference of mean sensitivity at 0.5 to 8 "
        f"false positives a scan {difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}] on {lesions} "
        f"lesions, margin {settings.margin:.2f}."
    )
    return Verdict(promote, sentence, lesions, difference, incumbent_id)


def held_against(verdict: Verdict, in_use: str) -> Verdict:
    """The verdict at the moment of promotion: where another model came to use since the comparison, a person decides.

    in_use: the id of the promoted model; empty if none is.
    """
    if not verdict.promote or in_use == verdict.incumbent:
        return verdict
    came = f"{in_use} came to use" if in_use else "that model went out of use"
    return replace(
        verdict, promote=False, sentence=f"{verdict.sentence} But {came} since the comparison: a person must decide."
    )
