"""The contract of a model file: what goes in, what comes out, where it comes from (`docs/contract.md`).

The only code that reads or writes contracts: as JSON, in an ONNX file, in a TFLite file, or next to a foreign model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segruntime.errors import ContractError
from segruntime.model_file.entries import MAX_TEXT_BYTES, read_text, with_text
from segruntime.strict_json import Fields, parse_json, read_json

NAME = "segedge.contract"
VERSION = 1
MAX_SIDE = 8192
_MIN_STD = 1e-9
_MIN_SCALE, _MAX_SCALE = 1e-12, 1e6
_ZERO_POINTS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}
LAYOUTS = ("NHWC", "NCHW")
DTYPES = ("float32", "int8", "uint8", "int16")
CLASS_DTYPES = ("int8", "uint8", "int32", "int64")
COLORS = ("rgb", "bgr")
RESIZES = ("stretch", "letterbox")
INTERPOLATIONS = ("bilinear", "area", "nearest")
_OPTIONAL = {
    "input": ("mean", "std", "scale", "zero_point"),
    "output": ("scale", "zero_point"),
    "conversion": ("recipe", "converter", "refused"),
}
MEANINGS = ("probability", "logits", "classes")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """The image tensor: `(1, H, W, 3)` or `(1, 3, H, W)`."""

    width: int
    height: int
    layout: str
    dtype: str
    color: str
    value_range: tuple[float, float]
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    resize: str = "stretch"
    interpolation: str = "bilinear"
    scale: float | None = None
    zero_point: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return _shape(self.layout, self.height, self.width, 3)

    @classmethod
    def from_json(cls, f: Fields) -> InputSpec:
        dtype = f.choice("dtype", DTYPES)
        low, high = f.numbers("value_range", 2)
        if not low < high:
            f.fail("value_range", "low < high")
        mean, std = (f.optional(key, _three(f)) for key in ("mean", "std"))
        if (mean is None) != (std is None) or (std is not None and min(std) < _MIN_STD):
            f.fail("std", f"mean and std, both or none, std at least {_MIN_STD:g}")
        return cls(
            width=f.integer("width", 1, MAX_SIDE),
            height=f.integer("height", 1, MAX_SIDE),
            layout=f.choice("layout", LAYOUTS),
            dtype=dtype,
            color=f.choice("color", COLORS),
            value_range=(low, high),
            mean=mean,
            std=std,
            resize=f.choice("resize", RESIZES),
            interpolation=f.choice("interpolation", INTERPOLATIONS),
            **_quantization(f, dtype),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSpec:
    """The mask tensor: `(1, H, W, C)` or `(1, C, H, W)`."""

    width: int
    height: int
    layout: str
    dtype: str
    meaning: str
    channels: int
    person_channel: int
    labels: tuple[str, ...]
    scale: float | None = None
    zero_point: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return _shape(self.layout, self.height, self.width, 1 if self.meaning == "classes" else self.channels)

    @classmethod
    def from_json(cls, f: Fields) -> OutputSpec:
        meaning, channels = f.choice("meaning", MEANINGS), f.integer("channels", 1, 1024)
        dtype = f.choice("dtype", CLASS_DTYPES if meaning == "classes" else DTYPES)
        labels = f.strings("labels")
        if len(labels) not in (0, channels):
            f.fail("labels", f"{channels} or none of them")
        return cls(
            width=f.integer("width", 1, MAX_SIDE),
            height=f.integer("height", 1, MAX_SIDE),
            layout=f.choice("layout", LAYOUTS),
            dtype=dtype,
            meaning=meaning,
            channels=channels,
            person_channel=f.integer("person_channel", 0, channels - 1),
            labels=labels,
            **({} if meaning == "classes" else _quantization(f, dtype)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The checkpoint that the file was made from."""

    checkpoint: str
    sha256: str
    architecture: str
    parameters: int
    preprocessing: str
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    color: str

    @classmethod
    def from_json(cls, f: Fields) -> Source:
        return cls(
            checkpoint=f.string("checkpoint"),
            sha256=f.digest("sha256"),
            architecture=f.string("architecture"),
            parameters=f.integer("parameters", 0, 10**12),
            preprocessing=f.string("preprocessing"),
            mean=f.nullable("mean", _three(f)),
            std=f.nullable("std", _three(f)),
            color=f.choice("color", COLORS),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """How the file was made. `refused`: the converters that were tried before, and why each was not taken."""

    precision: str
    calibration_count: int
    calibration_sha256: str | None
    tools: dict[str, str]
    float_layers: tuple[str, ...]
    recipe: dict[str, Any] | None = None
    converter: str | None = None
    refused: dict[str, str] | None = None

    @classmethod
    def from_json(cls, f: Fields) -> Conversion:
        return cls(
            precision=f.string("precision"),
            calibration_count=f.integer("calibration_count", 0, 10**9),
            calibration_sha256=f.nullable("calibration_sha256", f.digest),
            tools=f.string_map("tools"),
            float_layers=f.strings("float_layers"),
            recipe=f.optional("recipe", f.any_object),
            converter=f.optional("converter", f.string),
            refused=f.optional("refused", f.string_map),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """What was measured against PyTorch: differences of the probability (0–1), shares of pixels (0–1)."""

    pictures: int
    picture_source: str
    max_difference: float
    mean_difference: float
    mask_iou: float
    changed_pixels: float
    boundary_f: float
    bound: str
    within_bound: bool

    @classmethod
    def from_json(cls, f: Fields) -> Parity:
        shares = ("max_difference", "mean_difference", "mask_iou", "changed_pixels", "boundary_f")
        return cls(
            pictures=f.integer("pictures", 1, 10**9),
            picture_source=f.string("picture_source"),
            **{name: f.number(name, 0, 1) for name in shares},
            bound=f.string("bound"),
            within_bound=f.boolean("within_bound"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """All that a model file says about itself."""

    input: InputSpec
    output: OutputSpec
    threshold: float = 0.5
    source: Source | None = None
    conversion: Conversion | None = None
    parity: Parity | None = None

    @classmethod
    def from_json(cls, data: object) -> Contract:
        """From a parsed JSON object or its text.

        Raises:
            ContractError: naming the field, what was found and what was expected.
        """
        try:
            f = Fields(_parse(data) if isinstance(data, str) else data)
            f.header(NAME, VERSION)
            contract = cls(
                input=InputSpec.from_json(f.part("input")),
                output=OutputSpec.from_json(f.part("output")),
                threshold=f.number("threshold", 0, 1),
                source=f.optional("source", lambda key: Source.from_json(f.part(key))),
                conversion=f.optional("conversion", lambda key: Conversion.from_json(f.part(key))),
                parity=f.optional("parity", lambda key: Parity.from_json(f.part(key))),
            )
            f.finish()
        except ValueError as error:
            raise ContractError(
                f"contract: {error}; correct it (docs/contract.md), or export the file again with this segedge"
            ) from error
        return contract

    def to_json(self) -> dict[str, Any]:
        """A JSON object in the order of the specification; optional fields that are None are left out."""
        body: dict[str, Any] = {"format": NAME, "version": VERSION}
        for name, value in asdict(self).items():
            if isinstance(value, dict):
                body[name] = {k: v for k, v in value.items() if v is not None or k not in _OPTIONAL.get(name, ())}
            elif value is not None:
                body[name] = value
        return body

    def to_text(self) -> str:
        return json.dumps(self.to_json(), indent=1, allow_nan=False)


def read_contract(path: str | Path) -> Contract | None:
    """The contract of a model file: the embedded one, else `NAME.contract.json` next to it, else None.

    Raises:
        ModelFileError: the file is missing or broken.
        ContractError: there is a contract, and it is not valid.
    """
    path = Path(path)
    text = read_text(path, NAME)
    if text is not None:
        return _from_json(text, path)
    beside = path.with_suffix(".contract.json")
    return load_contract(beside) if beside.is_file() else None


def load_contract(path: str | Path) -> Contract:
    """A contract from a JSON file of its own.

    Raises:
        ContractError: unreadable, larger than 256 KiB, or not valid.
    """
    path = Path(path)
    try:
        data = read_json(path, MAX_TEXT_BYTES)
        if isinstance(data, str):  # which `from_json` would parse once more
            raise ValueError("it is a text, expected an object {…}")
    except (OSError, ValueError) as error:
        raise ContractError(f"{path}: cannot be read as UTF-8 JSON ({error})") from error
    return _from_json(data, path)


def require_contract(path: Path, given: Contract | str | Path | Mapping[str, Any] | None) -> Contract:
    """The contract to run a file with: the given one, else the file's own; without any, an error that shows one."""
    if isinstance(given, Contract):
        return Contract.from_json(given.to_json())  # one made by hand is held to the same rules
    if isinstance(given, (str, Path)):
        return load_contract(given)
    if given is not None:
        return Contract.from_json(dict(given) if isinstance(given, Mapping) else given)
    contract = read_contract(path)
    if contract is not None:
        return contract
    beside = path.with_suffix(".contract.json")
    raise ContractError(
        f"{path}: holds no contract, and {beside.name} is not next to it, so nobody knows its colours, range or output. "
        f"Write {beside.name} like this, with this model's facts (docs/contract.md explains them): "
        f"{json.dumps(EXAMPLE.to_json())}"
    )


def stamp(model: bytes, contract: Contract) -> bytes:
    """The bytes of an ONNX or TFLite model with `contract` inside; an older contract is replaced."""
    return with_text(model, NAME, contract.to_text())


def _from_json(data: object, path: Path) -> Contract:
    try:
        return Contract.from_json(data)
    except ContractError as error:
        raise ContractError(f"{path}: {error}") from error


def _parse(text: str) -> object:
    try:
        return parse_json(text)
    except ValueError as error:
        raise ValueError(f"not JSON ({error})") from error


def _three(f: Fields) -> Callable[[str], tuple[float, ...]]:
    return lambda key: f.numbers(key, 3)


def _quantization(f: Fields, dtype: str) -> dict[str, Any]:
    """`scale` and `zero_point`: required for the integer types, unknown fields for the rest."""
    if dtype not in _ZERO_POINTS:
        return {}
    low, high = _ZERO_POINTS[dtype]
    return {"scale": f.number("scale", _MIN_SCALE, _MAX_SCALE), "zero_point": f.integer("zero_point", low, high)}


def _shape(layout: str, height: int, width: int, channels: int) -> tuple[int, ...]:
    return (1, height, width, channels) if layout == "NHWC" else (1, channels, height, width)


EXAMPLE = Contract(
    input=InputSpec(width=256, height=256, layout="NHWC", dtype="float32", color="rgb", value_range=(0.0, 1.0)),
    output=OutputSpec(
        width=256,
        height=256,
        layout="NHWC",
        dtype="float32",
        meaning="probability",
        channels=1,
        person_channel=0,
        labels=("person",),
    ),
)
