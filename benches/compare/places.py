"""Where the comparison finds its programs, and where it works."""

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# What `make compare` installs and builds, and all that is written, lies below this.
COMPARE = ROOT / "target/compare"
OURS = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/llm-shell"
LIMITS = COMPARE / "limits/release"
ACT = COMPARE / "act"
VENV = COMPARE / "venv/bin"
PM2 = COMPARE / "npm/node_modules/.bin/pm2"
WORK = COMPARE / "work"
SPENT = COMPARE / "spent"
RESULTS = COMPARE / "results.json"
PAGE = ROOT / "docs/BENCHMARKS.md"
