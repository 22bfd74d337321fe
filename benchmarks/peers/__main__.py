"""`python benchmarks/peers`."""

from __future__ import annotations

import sys
from pathlib import Path

# run as a folder, Python looks into the folder only; the package is found next to it, and its name shadows nothing then
sys.path[0] = str(Path(__file__).resolve().parents[1])

from peers.cli import main  # noqa: E402

if __name__ == "__main__":
    main(prog_name="python benchmarks/peers")
