"""Networks of segmentation_models_pytorch by their configuration; class and encoders come from the installed library."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from segexport.errors import ArchitectureError, plural, shown
from segexport.networks.libraries.building import fitting, refuse_large_numbers
from segexport.networks.libraries.imports import library
from segexport.networks.network import LOGITS, Asked, Network
from segexport.networks.user import network_of

NAME = "segmentation_models_pytorch"
MODEL_CLASS = "_model_class"
_OLDER = ("decoder_use_batchnorm", "psp_use_batchnorm", "upscale_mode", "decoder_pyramid_channels")
"""Arguments of earlier versions that later ones still take."""
_ENCODER_NAME = re.compile(r"[A-Za-z0-9][\w.\-]*")
"""No address: timm takes `hf-hub:owner/name` for a name, and fetches it."""
_SOFTMAX = ("softmax", "softmax2d", "logsoftmax")


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """`settings` are the arguments of `kind`, checked, without `encoder_weights`; `notes` say what was left out of them."""

    kind: type[nn.Module]
    settings: Mapping[str, Any]
    notes: tuple[str, ...]

    def make(self) -> nn.Module:
        """Nothing is downloaded: no weights are asked for."""
        return self.kind(**self.settings, encoder_weights=None)

    def __str__(self) -> str:
        return f"{self.kind.__name__} with {self.settings.get('encoder_name', 'resnet34')}"


def is_saved_by_smp(config: Mapping[str, object]) -> bool:
    return MODEL_CLASS in config


def load_smp(
    where: str, config: Mapping[str, object], state_dicts: Sequence[Mapping[str, Tensor]], asked: Asked
) -> Network:
    """The network that a config.json of the library describes, with its weights.

    Raises:
        ArchitectureError: its class or encoder is not in the installed library, or its weights do not fit.
        MissingExtraError: the library is not installed.
    """
    smp = library(NAME)
    described = describe(
        smp, where, str(config[MODEL_CLASS]), {k: v for k, v in config.items() if not k.startswith("_")}
    )
    advice = f"the installed {NAME} is {smp.__version__}: install the one that saved it"
    module, notes = fitting(where, described.make, state_dicts, advice)
    reasons = (f"config.json says {described}, which {NAME} {smp.__version__} has", "all keys and shapes fit")
    return as_network(where, described, module, asked, reasons=reasons, notes=notes)


def as_network(
    where: str,
    described: Described,
    module: nn.Module,
    asked: Asked,
    *,
    reasons: tuple[str, ...],
    notes: tuple[str, ...],
) -> Network:
    """What `described` made and was given its weights."""
    count = sum(parameter.numel() for parameter in module.parameters())
    second = getattr(module, "classification_head", None) is not None
    if second:
        module.classification_head = None  # type: ignore[assignment]
        notes = (*notes, "classification head left out: the mask does not need it")
    network = network_of(where, module, asked, reasons=reasons, notes=(*described.notes, *notes))
    classes = plural(network.out_channels, "class", "classes")
    return replace(
        network,
        name=f"{NAME}:{described.kind.__name__}",
        variant=f"{described}, {classes}",
        parameters=count,
        end=LOGITS if described.settings.get("activation") is None else None,
    )


def describe(smp: ModuleType, where: str, name: str, settings: Mapping[str, object]) -> Described:
    """The class and its arguments, as data from a file says; only what the class takes gets through.

    Raises:
        ArchitectureError: the library has no such class, encoder or argument, or the network takes no RGB.
    """
    kind = class_of(smp, name)
    if kind is None:
        raise ArchitectureError(
            f"{where}: {shown(name)} is no network of {NAME} {smp.__version__}, which is installed; "
            f"expected one of {', '.join(one.__name__ for one in classes_of(smp).values())}, or give --arch module:factory"
        )
    taken = inspect.signature(kind.__init__).parameters
    plain = {key: value for key, value in settings.items() if key != "encoder_weights"}
    strange = next((key for key, value in plain.items() if key not in taken and not _for_encoder(key, value)), None)
    if strange is not None:
        raise ArchitectureError(
            f"{where}: {kind.__name__} of {NAME} {smp.__version__} takes no {shown(strange)}; "
            "install the version that it was saved with"
        )
    encoder = plain.get("encoder_name", "resnet34")
    if not (isinstance(encoder, str) and _ENCODER_NAME.fullmatch(encoder)):
        raise ArchitectureError(
            f"{where}: encoder_name is {shown(str(encoder))}, expected the name of an encoder that {NAME} or timm has; "
            "nothing is downloaded"
        )
    refuse_large_numbers(where, plain)
    channels = plain.get("in_channels", 3)
    if channels != 3:
        raise ArchitectureError(
            f"{where}: the network takes {shown(str(channels))} input channels, expected 3 (RGB); train it on RGB"
        )
    notes = []
    if encoder.startswith("timm-") and encoder not in smp.encoders.encoders:
        notes.append(
            f"{encoder} is made by another class since {NAME} 0.5, and its scores may differ in the third digit: "
            "with the version that it was trained with they do not"
        )
    activation, classes = plain.get("activation"), plain.get("classes", 1)
    if _head_does_it(activation, classes):
        notes.append(f"its activation {activation!r} is left out: the file's own head does the same")
        plain["activation"] = None
    return Described(kind=kind, settings=plain, notes=tuple(notes))


def classes_of(smp: ModuleType) -> dict[str, type[nn.Module]]:
    """The library's networks by their names in lower case, as its `create_model` takes them."""
    base: Any = smp.base.SegmentationModel
    found = (value for value in vars(smp).values() if isinstance(value, type) and issubclass(value, base))
    return {kind.__name__.lower(): kind for kind in found}


def class_of(smp: ModuleType, name: str) -> type[nn.Module] | None:
    return classes_of(smp).get(name.lower())


def _for_encoder(key: str, value: object) -> bool:
    """What is no argument of the class goes to timm, which has arguments that load files: numbers alone are let through."""
    if key in _OLDER:
        return True
    values = value if isinstance(value, list | tuple) else [value]
    return key.isidentifier() and all(isinstance(one, int | float) for one in values)


def _head_does_it(activation: object, classes: object) -> bool:
    """Whether the head that is chosen for so many channels makes up for the activation: a sigmoid for one, else a softmax."""
    return activation == "sigmoid" if classes == 1 else activation in _SOFTMAX
