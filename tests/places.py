"""Where this checkout is, and what may lie next to it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
"""Pictures, videos and networks that are in no checkout: what needs them is skipped where they are not there."""
