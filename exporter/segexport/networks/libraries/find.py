"""Does what was saved name, or fit, a network of a library? Only then is the library imported."""

from __future__ import annotations

from dataclasses import replace

from segexport.checkpoint import Checkpoint
from segexport.checkpoint.folder import CONFIG
from segexport.errors import ArchitectureError
from segexport.networks.libraries.hf import is_saved_by_transformers, load_transformers
from segexport.networks.libraries.lightning import needs_the_library, settings_of, with_statistics
from segexport.networks.libraries.smp import MODEL_CLASS, NAME, is_saved_by_smp, load_smp
from segexport.networks.libraries.smp_keys import find_smp, recognise_smp
from segexport.networks.network import Asked, Network


def described_network(checkpoint: Checkpoint, asked: Asked) -> Network | None:
    """The library's network that was described in words: by a folder's config.json, by `--arch
    segmentation_models_pytorch:FPN`, or by hyper-parameters that no key shows; None where there is no such word.

    Raises:
        ArchitectureError: what is described cannot be used, or the weights do not fit.
        MissingExtraError: the library is not installed.
    """
    package, _, kind = (asked.arch or "").partition(":")
    if asked.arch is not None:
        found = find_smp(checkpoint) if package == NAME else None
        if found is None:
            return None
        named = {**asked.arch_args, "arch": kind}
        return recognise_smp(f"--arch {asked.arch}", found, replace(asked, arch=None), named)
    folder = checkpoint.folder
    if folder is not None and folder.config is not None:
        where = f"{checkpoint.path / CONFIG}"
        if is_saved_by_smp(folder.config):
            return load_smp(where, folder.config, [checkpoint.saved, checkpoint.state_dict], asked)
        if is_saved_by_transformers(folder.config):
            return load_transformers(checkpoint, folder, asked)
        raise ArchitectureError(
            f"{where}: is neither transformers' ('architectures' is missing) nor {NAME}'s ('{MODEL_CLASS}' is missing); "
            "give --arch package.module:factory with your own class"
        )
    is_special = needs_the_library(settings_of(checkpoint.hyper_parameters))
    return recognised_network(checkpoint, asked) if is_special else None


def recognised_network(checkpoint: Checkpoint, asked: Asked) -> Network | None:
    """The library's network that the keys fit, with hyper-parameters for what they do not show; None where they look like none.

    Raises:
        ArchitectureError: they look like one, and none fits or several do.
        MissingExtraError: the library is not installed.
    """
    found = find_smp(checkpoint)
    if found is None:
        return None
    return recognise_smp(f"{checkpoint.path.name}", found, asked, settings_of(checkpoint.hyper_parameters))


def prepared_as_trained(checkpoint: Checkpoint, network: Network) -> Network:
    """With the mean and std that a checkpoint keeps next to its network, where it does and nothing else is known."""
    if network.preprocessing is not None:
        return network
    beside = {key: value for key, value in checkpoint.saved.items() if "." not in key}
    return with_statistics(network, beside)
