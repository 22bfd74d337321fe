"""How much work one checkpoint may ask for, so that a small file cannot fill the memory."""

from __future__ import annotations

from pathlib import Path

from segexport.errors import DamagedCheckpointError

MAX_STEPS = 5_000_000  # a whole ResNet-50 with its optimizer state takes about 100,000


class StepBudget:
    """Steps that are left; a pickle opcode is one, a copied element is one."""

    def __init__(self, path: Path, steps: int = MAX_STEPS) -> None:
        self.path = path
        self.steps = steps
        self.left = steps

    def spend(self, steps: int) -> None:
        """Take `steps` off, or refuse the file."""
        self.left -= steps
        if self.left < 0:
            raise DamagedCheckpointError(self.path, f"its pickle takes more than {self.steps:,} steps")
