"""`preprocessor_config.json` of transformers → mean, std, channel order and size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from segexport.checkpoint.folder import PREPROCESSOR
from segexport.errors import ArchitectureError
from segexport.networks.network import Size
from segexport.presets import Preprocessing

_BYTE = 255
_LARGEST_SIDE = 4096
_SAID = "--preprocess, or --mean and --std"


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """`preprocessing` and `size` are None where nothing is said of them."""

    preprocessing: Preprocessing | None = None
    color: str = "rgb"
    size: Size | None = None
    notes: tuple[str, ...] = ()


def read_processor(folder: Path, config: Mapping[str, object] | None) -> Processor:
    """What the image processor did to a picture `(H, W, 3) uint8, RGB` before the network saw it.

    Raises:
        ArchitectureError: its numbers are none.
    """
    if config is None:
        return Processor()
    where = f"{folder / PREPROCESSOR}"
    rescale = config.get("rescale_factor", 1 / _BYTE) if config.get("do_rescale", True) else 1
    factor = _number(where, "rescale_factor", rescale) * _BYTE
    mean: tuple[float, ...] = (0.0,) * 3
    std: tuple[float, ...] = (1.0,) * 3
    if config.get("do_normalize"):  # not said is not done: MobileViT's has a mean that it leaves unused
        mean, std = (_triple(where, key, config.get(key)) for key in ("image_mean", "image_std"))
    # the network saw (x * factor - mean) / std, with x in 0..1
    preprocessing = Preprocessing(
        name="saved", mean=tuple(m / factor for m in mean), std=tuple(s / factor for s in std)
    )
    color = "bgr" if config.get("do_flip_channel_order") else "rgb"
    size, how = _size(config)
    words = f"mean {_listed(preprocessing.mean)}, std {_listed(preprocessing.std)}, channels {color}"
    return Processor(
        preprocessing=preprocessing,
        color=color,
        size=size,
        notes=(f"{PREPROCESSOR} says {words}{how}; it is used where {_SAID} say nothing else",),
    )


def _size(config: Mapping[str, object]) -> tuple[Size | None, str]:
    """(height, width) that the network saw, and words for it; None where pictures were not brought to one size."""
    wanted = config.get("crop_size") if config.get("do_center_crop") and config.get("crop_size") else config.get("size")
    if not config.get("do_resize", True) and not config.get("do_center_crop"):
        return None, ""
    sides: tuple[object, object] = (wanted, wanted)
    how = ""
    if isinstance(wanted, Mapping):
        edge = wanted.get("shortest_edge")
        sides = (wanted.get("height", edge), wanted.get("width", edge))
        how = " (the shorter edge)" if edge is not None and "height" not in wanted else ""
    height, width = sides
    if not (
        isinstance(height, int)
        and isinstance(width, int)
        and 1 <= height <= _LARGEST_SIDE
        and 1 <= width <= _LARGEST_SIDE
    ):
        return None, ""
    return (height, width), f", size {height}x{width}{how}"


def _number(where: str, key: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return float(value)
    raise ArchitectureError(
        f"{where}: {key} is {str(value)[:40]!r}, expected a number above 0; fix the file, or remove it and give {_SAID}"
    )


def _triple(where: str, key: str, value: object) -> tuple[float, ...]:
    """Three numbers; one stands for three."""
    values = value if isinstance(value, list) else [value]
    plain = [float(one) for one in values if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(plain) != len(values) or len(plain) not in (1, 3) or (key == "image_std" and min(plain) <= 0):
        expected = "three numbers above 0" if key == "image_std" else "three numbers"
        raise ArchitectureError(
            f"{where}: {key} is {str(value)[:40]}, expected {expected}; fix the file, or remove it and give {_SAID}"
        )
    return tuple(plain * 3 if len(plain) == 1 else plain)


def _listed(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:.4g}" for value in values)
