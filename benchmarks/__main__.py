"""`make bench`: every benchmark that needs no training; each prints its figures and a ratio against a peer."""

import importlib

for name in ("receive", "read_sr", "import_reports", "ask_lesions", "encode"):
    print(f"== {name}", flush=True)
    importlib.import_module(f"benchmarks.{name}").main()
