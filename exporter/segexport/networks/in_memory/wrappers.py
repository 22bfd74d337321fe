"""What training puts around a network, or into its place, and what the network is then."""

from __future__ import annotations

from segexport.errors import ArchitectureError

WRAPPERS = {
    "OptimizedModule": "_orig_mod",  # torch.compile
    "DistributedDataParallel": "module",
    "DataParallel": "module",
    "AveragedModel": "module",  # torch.optim.swa_utils: a moving average of the weights
    "ModelEma": "ema",  # timm's, version 1
    "ModelEmaV2": "module",
    "ModelEmaV3": "module",
}
"""Class → its attribute that holds the network. What is not among them runs as it is."""
_MOVING_AVERAGES = ("AveragedModel", "ModelEma", "ModelEmaV2", "ModelEmaV3")
_SHARDED = "FullyShardedDataParallel"


def unwrapped(given: object) -> tuple[object, tuple[str, ...]]:
    """The network inside `given`, and a note where that are other weights than the ones that were trained.

    Raises:
        ArchitectureError: the weights are spread over several processes.
    """
    notes = []
    while (wrapper := wrapper_of(given)) is not None:
        given = getattr(given, WRAPPERS[wrapper])
        if wrapper in _MOVING_AVERAGES:
            notes.append(f"The moving average of the weights is exported, as {wrapper} holds it.")
    return given, tuple(notes)


def wrapper_of(given: object) -> str | None:
    """The name among `WRAPPERS` that the class of `given`, or one that it inherits from, has."""
    names = [one.__name__ for one in type(given).__mro__]
    if _SHARDED in names:
        raise ArchitectureError(
            f"{_SHARDED}: the weights are spread over several processes; gather its full state dict, "
            "load that into a network of your own, and give this one"
        )
    return next((name for name in names if name in WRAPPERS and hasattr(given, WRAPPERS[name])), None)
