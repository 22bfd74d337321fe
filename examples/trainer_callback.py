"""transformers: when training has ended, the network becomes proven model files.

trainer = Trainer(model, …, callbacks=[ExportAtEnd(calibration="pictures/", output="out", person=1)])
"""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

import segexport


class ExportAtEnd(TrainerCallback):  # type: ignore[misc]  # transformers need not be installed to check this file
    """`options` are those of `segexport.export`; of the model's outputs `logits` is taken."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        if state.is_world_process_zero:  # of several processes one
            print(segexport.export(given["model"], **self.options))
