"""What a network is to the rest of the exporter, and what each file of this folder says about its family."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mode
from typing import TypeAlias

from torch import nn

from segexport.errors import ArchitectureError
from segexport.presets import Preprocessing

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
Size: TypeAlias = tuple[int, int]
"""(height, width)"""

LARGEST_WIDTH = 65_536  # more channels than this is no network but an attack on the memory
LOGITS, PROBABILITY = "logits", "probability"
"""What a network may give."""
PERSON_CHANNELS = {1: 0, 2: 1, 21: 15}  # outputs → channel of the person: sigmoid; background, person; Pascal VOC


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the user said of the network: `--arch`, `--arch-args`, `--set`, `--output-index`, `--size`, `--layout`.

    Values of the two mappings are numbers, texts, booleans, None, or lists of them.
    """

    arch: str | None = None
    arch_args: Mapping[str, object] = field(default_factory=dict)
    forward_args: Mapping[str, object] = field(default_factory=dict)
    output: str | None = None
    size: Size | None = None
    layout: str = "NCHW"


NOTHING_ASKED = Asked()


def output_of(asked: str, names: Sequence[str]) -> str | None:
    """What `--output-index` means: a name, else an index from 0; None where there is no such output."""
    if asked in names:
        return asked
    return names[int(asked)] if asked.isdecimal() and int(asked) < len(names) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The input sizes, (height, width), that a network takes."""

    rule: str = "any"
    default: Size = (256, 256)
    fixed: Size | None = None
    least: int = 1
    multiple: int = 1

    def check(self, height: int, width: int) -> None:
        fixed = self.fixed
        if fixed is not None and (height, width) != fixed:
            raise ArchitectureError(
                f"the network takes {fixed[0]}x{fixed[1]} only, got {height}x{width}; "
                f"leave --size out, or give --size {fixed[0]}x{fixed[1]}"
            )
        if min(height, width) < self.least:
            raise ArchitectureError(
                f"the network needs at least {self.least} pixels each way, got {height}x{width}; "
                f"give --size {self.default[0]}x{self.default[1]}"
            )
        if height % self.multiple or width % self.multiple:
            raise ArchitectureError(
                f"the network takes multiples of {self.multiple} pixels each way, got {height}x{width}; "
                f"give --size {' or '.join(self._nearest(height, width))}"
            )

    def _nearest(self, height: int, width: int) -> list[str]:
        """The next size that works below and above, as `HxW`."""
        step = self.multiple
        below = tuple(max(n // step, 1) * step for n in (height, width))
        above = tuple(-(-n // step) * step for n in (height, width))
        return [f"{h}x{w}" for h, w in dict.fromkeys((below, above))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One member of a family, as its shapes tell it: the module is on the meta device and holds no values."""

    module: nn.Module
    out_channels: int
    variant: str
    input_key: str
    """The first convolution's weight: `(width, 3, k, k)`."""
    sizes: Sizes
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()
    end: str = LOGITS
    dropped: tuple[str, ...] = ()
    """Modules, by their paths, that are in the checkpoint and that the mask does not need."""
    preprocessing: Preprocessing | None = None
    """What the family's authors did to their pictures; None where they did not always do the same."""
    color: str = "rgb"


def no_explanation(_: Shapes) -> None:
    """Nothing is known about relatives of this family."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A family of networks.

    `plan` always answers, with the member that the shapes come nearest to, and allocates nothing.
    """

    name: str
    summary: str
    plan: Callable[[Shapes], Plan]
    witnesses: tuple[str, ...]
    """Beginnings of keys: a checkpoint that has none of them is none of the family, and no plan is made for it."""
    explain: Callable[[Shapes], str | None] = no_explanation
    """Where the shapes are a relative that is not known: which one, in a phrase; only asked when the plan misfits."""

    def is_witnessed(self, shapes: Shapes) -> bool:
        """Whether a key begins as one of the family's does."""
        return any(key.startswith(self.witnesses) for key in shapes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network with its weights: eval mode, float32, on the CPU, `(N, 3, H, W)` → logits `(N, out_channels, H, W)`."""

    name: str
    module: nn.Module
    out_channels: int
    parameters: int
    """Of the checkpoint's network, its auxiliary head included, shared ones counted once."""
    variant: str
    default_size: Size
    size_rule: str
    person_channel: int | None
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    size_check: Callable[[int, int], None]
    end: str | None = None
    """`LOGITS` or `PROBABILITY`; None where nobody knows, and the pictures have to tell."""
    preprocessing: Preprocessing | None = None
    """What is known of how training prepared its pictures; None where nothing is."""
    color: str = "rgb"
    """The order of the channels in that case."""

    def check_size(self, height: int, width: int) -> None:
        """Raise `ArchitectureError` where the network cannot take `(N, 3, height, width)`."""
        self.size_check(height, width)


def vote(shapes: Shapes, default: int, *witnesses: tuple[str, int]) -> int:
    """The number of channels that most `(key, axis)` agree on, so that one bad tensor does not bend the rest."""
    seen = [shapes[key][axis] for key, axis in witnesses if len(shapes.get(key, ())) > axis]
    sane = [channels for channels in seen if 1 <= channels <= LARGEST_WIDTH]
    return mode(sane) if sane else default
