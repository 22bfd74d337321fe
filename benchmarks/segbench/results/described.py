"""What every result says of the machine, the model and the frame; the shapes that its readers check them with."""

from __future__ import annotations

from segbench.results.shape import fields, maybe, text, whole

MODEL_FIELDS = {
    "path": text,
    "name": text,
    "size_bytes": whole,
    "sha256": text,
    "precision": text,
    "architecture": maybe(text),
}
MACHINE = fields(cpu=text, cores=whole, logical_cores=whole, memory_bytes=whole, architecture=text, system=text)
MODEL = fields(**MODEL_FIELDS)
FRAME = fields(width=whole, height=whole, source=text)
