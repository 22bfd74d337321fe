"""Lightning: when training has ended, the network becomes proven model files.

trainer = Trainer(callbacks=[ExportAtEnd(calibration="pictures/", output="out")])
"""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

import segexport


class ExportAtEnd(Callback):  # type: ignore[misc]  # Lightning need not be installed to check this file
    """`options` are those of `segexport.export`; the module's `forward` gives the scores."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero:  # of several processes one
            print(segexport.export(pl_module, **self.options))
