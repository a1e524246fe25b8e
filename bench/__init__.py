"""Benchmarks: ratios against a peer or a limit, measured in one run on one machine. Run ``make bench``."""

import sys
from pathlib import Path

# The platforms that the live tests start are peers here.
sys.path.append(str(Path(__file__).parent.parent / "tests"))
