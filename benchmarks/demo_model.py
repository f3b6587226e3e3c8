"""Judge the model that a demo left behind on more unseen phantoms than the demo analysed, against every lesion.

The demo analyses twelve studies, which is too few for a figure; here the same model looks at as many as are asked for,
the first twelve of which are the demo's. Test equipment: the figures say nothing about patients. After `make demo`:

    python -m benchmarks.demo_model demo --unseen 60
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import torch

from benchmarks.phantom_detector import UNSEEN_SEED, cases_of, known_scans, lines_of
from db import registry
from db.engine import open_sessions, reading
from db.local_files import LocalFiles
from detector.look import lesions_of
from detector.model_files import LoadedModel, load_model
from dicom_node.config import load_config


def promoted_model(demo: Path) -> tuple[LoadedModel, str]:
    """The demo's promoted model, and what its card says of its training. Raises SystemExit where there is none."""
    config = load_config(demo / "node.toml", {})
    with reading(open_sessions(config.url)) as session:
        row = registry.promoted(session)
        if row is None:
            raise SystemExit(f"{demo} has no promoted model; run the demo without --no-train")
        card, weights = row.card, row.weights_sha256
    words = f"seed {card['seed']}, {card['lesions']} marks by split, {len(card['classes_by_category_id'])} categories"
    return load_model(card, weights, LocalFiles(config.data_dir), "cpu"), words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path, help="the folder of the demo")
    parser.add_argument("--seed", type=int, default=1, help="the demo's")
    parser.add_argument("--unseen", type=int, default=60, help="studies to judge on")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model, words = promoted_model(args.demo)
    cases = cases_of(args.seed + UNSEEN_SEED, args.unseen)
    known = known_scans(cases, model.inputs)
    started = time.monotonic()
    tracks = [lesions_of(model.network, scan.scan, scan.spacing, model.inputs, model.merging) for scan in known]
    print(f"demo {words}; {time.monotonic() - started:.0f} s to judge {len(cases)} studies")
    print("\n".join(lines_of(cases, known, tracks)), flush=True)


if __name__ == "__main__":
    main()
