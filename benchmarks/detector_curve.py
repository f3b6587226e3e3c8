"""What more time and more studies gain: one training for each pair, all judged on the same unseen phantoms.

Test equipment: the figures say nothing about patients. From the project's root:

    python -m benchmarks.detector_curve --seed 21
"""

from __future__ import annotations

import argparse

import torch

from benchmarks.phantom_detector import UNSEEN_SEED, cases_of, counting, kinds_of, known_scans, trained
from detector.candidate import pixel_for
from detector.evaluate import result_of
from detector.froc import AT_FP_PER_SCAN, sensitivities, with_intervals
from detector.look import lesions_of
from detector.loop import TrainSettings
from detector.merge import MergeSettings
from detector.prepare import InputSettings

RUNS = "200:60,200:120,200:300,200:600,100:300,50:300"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=21, help="of the phantoms and of the trainings")
    parser.add_argument("--unseen", type=int, default=40, help="studies to judge on")
    parser.add_argument("--runs", default=RUNS, help="studies:seconds, with commas between")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    runs = [tuple(int(part) for part in run.split(":")) for run in args.runs.split(",")]
    cases = cases_of(args.seed, max(studies for studies, _ in runs))
    unseen = cases_of(args.seed + UNSEEN_SEED, args.unseen)
    for studies, budget_s in runs:
        used = cases[:studies]
        inputs = InputSettings(pixel_mm=pixel_for([case.volume.spacing.row_mm for case in used]))
        settings = TrainSettings(budget_s=budget_s, seed=args.seed)
        model, words = trained(used, inputs, kinds_of(used, one_class=False), settings)
        whole = [
            result_of(known, lesions_of(model, known.scan, known.spacing, inputs, MergeSettings()))
            for known in known_scans(unseen, inputs)
        ]
        cells = (
            f"{value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"
            for value, interval in zip(sensitivities(whole), with_intervals(whole, draws=1000), strict=True)
        )
        every = sensitivities([counting(scan, lambda _: True) for scan in whole])[AT_FP_PER_SCAN.index(4.0)]
        print(f"{studies} studies, {budget_s} s: {words}")
        print(f"| {studies} | {budget_s} | " + " | ".join(cells) + f" | {every:.2f} |", flush=True)


if __name__ == "__main__":
    main()
