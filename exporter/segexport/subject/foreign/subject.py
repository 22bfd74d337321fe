"""An ONNX file as what is exported; onnxruntime says what it gives of a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from segexport.compare.reference import Reference
from segexport.errors import MissingExtraError
from segexport.pictures.files import Picture
from segexport.subject.ask import Answer, ask
from segexport.subject.foreign.child import Foreign
from segexport.subject.subject import OnnxFile
from segruntime.model_file.contract import Source

if TYPE_CHECKING:  # torch stays out until a head is made
    from segexport.subject.deploy import PersonProbability

_CLIPPED = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxSubject:
    """See `Subject`; a deployable ONNX in memory: `image (1, 3, H, W)` float32 RGB 0..1 → `probability (1, 1, h, w)` float32.

    `head` is None where the file was deployable as it came.
    """

    path: Path
    source: Source
    variant: str
    model: bytes
    size: tuple[int, int]
    head: PersonProbability | None
    assumed_head: str | None
    logits: str
    """The value that the head is computed from; "" where the file has none."""
    foreign: Foreign
    """Where it runs."""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    has_program: ClassVar[bool] = False

    def write_onnx(self, path: Path) -> OnnxFile:
        """The model, without a contract of its own where it is a foreign one, in forms that converters get right.

        `ask` asks it as it was before.
        """
        try:
            import onnx_ir
        except ImportError as error:
            raise MissingExtraError("onnx_ir", "export") from error
        from segexport.convert.rewrites.rewrite import rewrite_onnx
        from segexport.convert.seldom import seldom_converted

        path.write_bytes(self.model)
        model = onnx_ir.load(path)
        rewrites = rewrite_onnx(model)
        if rewrites:
            onnx_ir.save(model, path)
        return OnnxFile(rewrites=rewrites, seldom_converted=seldom_converted(model))

    def ask(self, pictures: Sequence[Picture], names: tuple[str, ...], say: Callable[[str], None]) -> Reference:
        """onnxruntime's masks."""

        def answer(image: npt.NDArray[np.float32]) -> Answer:
            mask, *logits = model.run(image)
            margin = self._margin(mask, logits[0] if logits else None)
            return Answer(mask=mask, logits=logits[0] if logits else margin, margin=margin)

        with self.foreign.opened(self.path, self._with_logits()) as model:
            return ask(answer, pictures, names, self.size, say, "onnxruntime")

    def _with_logits(self) -> bytes:
        """The model with the logits as a second output."""
        import onnx

        if not self.logits:
            return self.model
        model = onnx.ModelProto.FromString(self.model)
        model.graph.output.append(onnx.helper.make_tensor_value_info(self.logits, onnx.TensorProto.FLOAT, None))
        return bytes(model.SerializeToString())

    def _margin(self, mask: npt.NDArray[Any], logits: npt.NDArray[Any] | None) -> npt.NDArray[Any]:
        """How far the person is ahead, in logits; from the probability where the file keeps no logits."""
        if logits is None:
            likely = np.clip(mask.astype(np.float64), _CLIPPED, 1 - _CLIPPED)
            return np.asarray(np.log(likely / (1 - likely)))
        if self.head is None:
            return logits
        import torch

        return np.asarray(self.head.margin(torch.from_numpy(logits)).numpy())
