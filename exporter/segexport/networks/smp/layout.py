"""What the networks of segmentation_models_pytorch share: an encoder, a decoder, a head, perhaps a second head.

Keys `encoder.*`, `decoder.*`, `segmentation_head.0.*`, alike from version 0.1 to 0.6 of the library;
`classification_head.3.*` (`aux_params`) says what is in the picture, is read and counted, and is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from segexport.errors import plural
from segexport.networks.network import Plan, Shapes, Sizes, vote
from segexport.networks.smp.encoders import Encoder

CLASSIFIER = "classification_head"


class EncoderDecoder(nn.Module):
    """`(N, 3, H, W)` → logits `(N, C, H, W)`, before any activation that the library was asked for."""

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        segmentation_head: nn.Module,
        classification_head: nn.Module | None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.segmentation_head = segmentation_head
        self.classification_head = classification_head

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.segmentation_head(self.decoder(self.encoder(x)))
        return logits


def make_classification_head(in_channels: int, classes: int | None) -> nn.Module | None:
    """Its fourth entry is the one with weights."""
    if classes is None:
        return None
    return nn.Sequential(nn.Identity(), nn.Identity(), nn.Identity(), nn.Linear(in_channels, classes))


def read_classes(shapes: Shapes) -> int:
    return vote(shapes, 1, ("segmentation_head.0.weight", 0), ("segmentation_head.0.bias", 0))


def read_classification(shapes: Shapes) -> int | None:
    """Classes of the classification head, or None where there is none."""
    if not any(key.startswith(f"{CLASSIFIER}.") for key in shapes):
        return None
    return vote(shapes, 1, (f"{CLASSIFIER}.3.weight", 0), (f"{CLASSIFIER}.3.bias", 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One of the library's networks, in words: its decoder, why it is that one, and what else to know."""

    decoder: str
    reason: str
    note: str
    multiple: int
    """Of so many pixels its input is."""


def make_plan(module: EncoderDecoder, encoder: Encoder, depth: int, classes: int, member: Member) -> Plan:
    notes: tuple[str, ...] = (member.note,)
    multiple = member.multiple
    second = module.classification_head is not None
    unused = encoder.unused(depth)
    if second:
        notes = (*notes, f"classification head ({CLASSIFIER}.*) left out: the mask does not need it")
    if unused:
        notes = (*notes, f"encoder depth {depth}: {unused[0]} and what follows it are left out, the decoder reads less")
    return Plan(
        module=module,
        out_channels=classes,
        variant=f"{encoder.name}, {member.decoder}, {plural(classes, 'class', 'classes')}",
        input_key=encoder.input_key,
        sizes=Sizes(rule=f"multiples of {multiple}", multiple=multiple),
        reasons=(
            f"encoder.* is {encoder.name}, named as in segmentation_models_pytorch",
            member.reason,
            f"segmentation_head.0 gives {plural(classes, 'channel')}",
        ),
        notes=notes,
        dropped=(*unused, *((CLASSIFIER,) if second else ())),
    )
