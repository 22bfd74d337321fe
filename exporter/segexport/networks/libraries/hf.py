"""A folder that transformers saved: the configuration is data, the class comes from the installed library."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from segexport.checkpoint import Checkpoint
from segexport.checkpoint.folder import CONFIG, SavedFolder
from segexport.errors import ArchitectureError, first_few, shown
from segexport.networks.fit import COUNTER
from segexport.networks.libraries.building import made, refuse_large_numbers, refuse_larger
from segexport.networks.libraries.imports import library
from segexport.networks.libraries.processor import read_processor
from segexport.networks.network import LOGITS, Asked, Network
from segexport.networks.user import network_of

NAME = "transformers"
TASK = "ForSemanticSegmentation"
CODE = ("auto_map", "trust_remote_code", "custom_pipelines")
_NOT_PASSED = re.compile(r"(_?(attn|experts)_implementation.*|torch_dtype|dtype|_name_or_path|_commit_hash)")
"""How the library shall compute, and where it was from: no part of the network; some of it would fetch kernels."""
_MISFITS = ("missing_keys", "unexpected_keys")
_PERSON = {"person", "persons", "people", "human", "humans", "portrait"}


def is_saved_by_transformers(config: Mapping[str, object]) -> bool:
    return "architectures" in config or "model_type" in config or any(key in config for key in CODE)


def load_transformers(checkpoint: Checkpoint, folder: SavedFolder, asked: Asked) -> Network:
    """The network that the folder's config.json describes, with its weights.

    Raises:
        ArchitectureError: it names code or another task, its class is not installed, or its weights do not fit.
        MissingExtraError: transformers is not installed.
    """
    config = folder.config or {}
    where = f"{checkpoint.path / CONFIG}"
    name = _architecture(where, config)
    transformers = library(NAME)
    found: Any = made(where, lambda: getattr(transformers, name, None))
    if not (isinstance(found, type) and issubclass(found, transformers.PreTrainedModel)):
        raise ArchitectureError(
            f"{where}: {shown(name)} is not in transformers {transformers.__version__}, which is installed"
            f"{_saved_with(config)}; install a version that has it, or give --arch package.module:factory with your own class"
        )
    kind: Any = found
    read = read_processor(checkpoint.path, folder.preprocessor)
    refuse_large_numbers(where, _data(config))
    settings: Any = made(where, lambda: _settings(kind, config))
    refuse_larger(where, lambda: kind(settings), checkpoint.saved)
    with _quiet(transformers):
        module, info = made(where, lambda: _with_weights(kind, settings, checkpoint.saved))
    advice = (
        f"the installed transformers is {transformers.__version__}{_saved_with(config)}: install the one that saved it"
    )
    _refuse_misfit(where, info, advice)
    module.eval().requires_grad_(False)
    person, said = _person(config)
    network = network_of(
        where,
        module,
        asked,
        reasons=(
            f"{CONFIG} says {name}, whose class transformers {transformers.__version__} has",
            "all keys and shapes fit",
        ),
        notes=(*read.notes, *said),
        default_size=read.size,
    )
    return replace(
        network,
        name=f"{NAME}:{name}",
        person_channel=network.person_channel if person is None else person,
        preprocessing=read.preprocessing,
        color=read.color,
        end=LOGITS,
    )


def with_its_labels(network: Network, module: nn.Module) -> Network:
    """Of a module in memory whose class is transformers' own: the person by its labels, and that it ends in logits."""
    own = [one for one in type(module).__mro__ if one.__module__.partition(".")[0] == NAME]
    labels = getattr(getattr(module, "config", None), "id2label", None)
    if not any(one.__name__.endswith(TASK) for one in own) or not isinstance(labels, Mapping):
        return network
    person, said = _person({"id2label": {str(index): label for index, label in labels.items()}})
    channel = network.person_channel if person is None else person
    return replace(network, person_channel=channel, notes=(*network.notes, *said), end=LOGITS)


def _settings(kind: Any, config: Mapping[str, object]) -> Any:
    settings = kind.config_class.from_dict(_data(config))
    settings.output_hidden_states, settings.output_attentions, settings.return_dict = False, False, True
    return settings


def _with_weights(kind: Any, settings: Any, state_dict: Mapping[str, Tensor]) -> tuple[nn.Module, Mapping[str, Any]]:
    """By the library's own loading, which knows the keys of its earlier versions; it is given tensors, and opens no file."""
    found: tuple[nn.Module, Mapping[str, Any]] = kind.from_pretrained(
        None,
        config=settings,
        state_dict=dict(state_dict),
        output_loading_info=True,
        ignore_mismatched_sizes=True,
        local_files_only=True,
        attn_implementation="eager",
    )
    return found


def _refuse_misfit(where: str, info: Mapping[str, Any], advice: str) -> None:
    """The library goes on with random weights where some are missing; here that is an error."""
    missing, unexpected = (sorted(key for key in info[name] if not key.endswith(COUNTER)) for name in _MISFITS)
    differing = [
        *(f"missing {shown(key)}" for key in missing),
        *(f"unexpected {shown(key)}" for key in unexpected),
        *sorted(map(_reshaped, info["mismatched_keys"])),
        *(shown(" ".join(str(error).split())) for error in info.get("error_msgs", ())),
    ]
    if differing:
        raise ArchitectureError(f"{where}: the weights do not fit: {first_few(differing)}; {advice}")


def _reshaped(mismatch: Any) -> str:
    """transformers 4 tells the key alone, 5 both shapes too."""
    if isinstance(mismatch, str):
        return f"{shown(mismatch)} has another shape"
    key, got, wanted = mismatch
    return f"{shown(key)} has shape {tuple(got)}, expected {tuple(wanted)}"


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Without the library's progress bars and reports, whose words are said here."""
    log = transformers.logging
    before = log.get_verbosity()
    shows_bars = log.is_progress_bar_enabled()
    log.set_verbosity(log.CRITICAL)
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(before)
        if shows_bars:
            log.enable_progress_bar()


def _architecture(where: str, config: Mapping[str, object]) -> str:
    """The class that the configuration names; refused where it names code, or another task than ours."""
    code = next((key for key in _keys(config) if key in CODE), None)
    if code is not None:
        raise ArchitectureError(
            f"{where}: {code} names code that lies in the folder, and no code of a folder is run; expected a class that "
            "transformers itself has. If you trust it, import it yourself: --arch package.module:factory"
        )
    names = config.get("architectures")
    name = names[0] if isinstance(names, list) and len(names) == 1 else None
    if not isinstance(name, str) or not name.isidentifier():
        raise ArchitectureError(
            f"{where}: names no class under 'architectures', expected one such as Segformer{TASK}; "
            "save the network itself with save_pretrained"
        )
    if not name.endswith(TASK):
        raise ArchitectureError(
            f"{where}: {shown(name)} gives no map of scores for each pixel, expected a class named …{TASK}; "
            "save the network for semantic segmentation"
        )
    if "quantization_config" in config:
        raise ArchitectureError(f"{where}: the weights are quantized, expected plain ones; save the float network")
    if any(isinstance(one.get("backbone"), str) for one in _objects(config)):
        raise ArchitectureError(
            f"{where}: 'backbone' names another repository instead of describing the backbone, and nothing is downloaded; "
            "save the network with a backbone_config"
        )
    return name


def _data(config: Mapping[str, object]) -> dict[str, Any]:
    """A copy without what is said in `_NOT_PASSED`, at every depth."""
    return {
        key: _data(value) if isinstance(value, dict) else value
        for key, value in config.items()
        if not _NOT_PASSED.fullmatch(key)
    }


def _objects(value: object) -> Iterator[Mapping[str, object]]:
    """Every JSON object in `value`, itself included."""
    if isinstance(value, Mapping):
        yield value
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for part in parts:
        yield from _objects(part)


def _keys(config: Mapping[str, object]) -> Iterator[str]:
    for one in _objects(config):
        yield from one


def _saved_with(config: Mapping[str, object]) -> str:
    version = config.get("transformers_version")
    return f" (it was saved with {shown(version)})" if isinstance(version, str) else ""


def _person(config: Mapping[str, object]) -> tuple[int | None, tuple[str, ...]]:
    """The channel of the one label that is a person, and a note on it; None where no label is, or several are."""
    labels = config.get("id2label")
    found = [
        (int(index), label)
        for index, label in (labels.items() if isinstance(labels, dict) else ())
        if isinstance(label, str) and index.isdecimal() and label.strip().lower() in _PERSON
    ]
    if len(found) != 1:
        return None, ()
    index, label = found[0]
    return index, (f"channel {index} is the person: id2label calls it {shown(label)!r}",)
