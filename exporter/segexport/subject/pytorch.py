"""A network in PyTorch, from a checkpoint or from memory, as what is exported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import torch

from segexport.compare.flips import audit_flips, choices_of
from segexport.compare.reference import Reference
from segexport.convert.torch_rewrites.threads import UnpoolsInOrder
from segexport.convert.trace.onnx_export import write_onnx, write_program
from segexport.pictures.files import Picture
from segexport.subject.ask import Answer, Tensor, ask
from segexport.subject.deploy import Deployable
from segexport.subject.subject import OnnxFile
from segruntime.model_file.contract import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class PyTorchSubject:
    """See `Subject`; `graph` is in evaluation mode, in float32, on the CPU."""

    graph: Deployable
    source: Source
    variant: str
    assumed_head: str | None
    size: tuple[int, int]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    has_program: ClassVar[bool] = True

    def write_onnx(self, path: Path) -> OnnxFile:
        """The network, lowered to operators that converters know."""
        lowered = write_onnx(self.graph, *self.size, path)
        can_flip = bool(choices_of(lowered.module))
        return OnnxFile(
            rewrites=lowered.rewrites,
            seldom_converted=lowered.seldom_converted,
            audit=(lambda file, frames: audit_flips(file, self.graph, lowered.module, frames)) if can_flip else None,
            write_program=partial(write_program, lowered.program),
        )

    def ask(self, pictures: Sequence[Picture], names: tuple[str, ...], say: Callable[[str], None]) -> Reference:
        """PyTorch's own masks."""
        return ask(self._answer, pictures, names, self.size, say)

    def _answer(self, image: Tensor) -> Answer:
        graph = self.graph
        with UnpoolsInOrder(), torch.inference_mode():
            logits = graph.logits(torch.from_numpy(image.copy()))
            mask, margin = graph.head(logits), graph.head.margin(logits)
        return Answer(mask=mask.numpy(), logits=logits.numpy(), margin=margin.numpy())
