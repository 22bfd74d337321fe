"""From a state dict to the network it belongs to: keys and shapes decide, nothing of the checkpoint is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from segexport.errors import ArchitectureError, first_few, shown
from segexport.networks import ARCHITECTURES
from segexport.networks.fit import differences, load, shapes_of, with_aliases
from segexport.networks.network import PERSON_CHANNELS, Architecture, Network, Plan, Shapes

OWN_CLASS = "for your own class give --arch package.module:factory"
NEAR = 0.5  # share of common keys from which "nearest" means something to a reader
MOST_BEGINNING = 3


def recognise(state_dict: Mapping[str, Tensor], classes: Mapping[str, str] | None = None) -> Network:
    """The one network that every key and shape fits, with its weights.

    `classes` (module path → class name, as a pickle tells it) only makes the message better where none fits.
    """
    shapes = shapes_of(state_dict)
    if not shapes:
        raise ArchitectureError("the checkpoint holds no weights; expected a state dict or a saved module with some")
    families = {name: family for name, family in ARCHITECTURES.items() if family.is_witnessed(shapes)}
    if not families:
        raise ArchitectureError(f"{_unknown(shapes)}{_saved(classes)}; {OWN_CLASS}")
    plans = {name: family.plan(shapes) for name, family in families.items()}
    fitting = [name for name, plan in plans.items() if not _differing(plan, state_dict)]
    if len(fitting) > 1:
        raise ArchitectureError(
            f"all keys and shapes fit {' and '.join(fitting)} alike; say which it is: --arch {fitting[0]}"
        )
    nearest = fitting[0] if fitting else max(plans, key=lambda name: overlap(plans[name], shapes))
    return build(families[nearest], plans[nearest], state_dict, classes)


def with_its_familys_pictures(network: Network, state_dict: Mapping[str, Tensor]) -> Network:
    """A network of another origin whose keys and shapes are a family's takes pictures as that family's authors made them."""
    if network.preprocessing is not None:
        return network
    try:
        known = recognise(state_dict)
    except ArchitectureError:
        return network
    if known.preprocessing is None:
        return network
    note = f"its keys and shapes are those of {known.name}, whose preprocessing is taken where nothing else is said"
    return replace(network, preprocessing=known.preprocessing, color=known.color, notes=(*network.notes, note))


def build(
    architecture: Architecture,
    plan: Plan,
    state_dict: Mapping[str, Tensor],
    classes: Mapping[str, str] | None = None,
    *,
    named: bool = False,
) -> Network:
    """The planned network with its weights, or `ArchitectureError` with what differs; `named`: the user chose it."""
    refuse_misfit(architecture, plan, state_dict, classes, named=named)
    tensors = len(shapes_of(state_dict))
    parameters = sum(parameter.numel() for parameter in plan.module.parameters())
    notes = load(plan.module, state_dict)
    for path in plan.dropped:
        parent, _, child = path.rpartition(".")
        setattr(plan.module.get_submodule(parent), child, None)
    return Network(
        name=architecture.name,
        module=plan.module,
        out_channels=plan.out_channels,
        parameters=parameters,
        variant=plan.variant,
        default_size=plan.sizes.default,
        size_rule=plan.sizes.rule,
        person_channel=PERSON_CHANNELS.get(plan.out_channels),
        reasons=(*plan.reasons, f"all {tensors} keys and shapes fit"),
        notes=(*plan.notes, *notes),
        size_check=plan.sizes.check,
        end=plan.end,
        preprocessing=plan.preprocessing,
        color=plan.color,
    )


def _differing(plan: Plan, state_dict: Mapping[str, Tensor]) -> list[str]:
    return differences(shapes_of(plan.module.state_dict()), shapes_of(with_aliases(plan.module, state_dict)))


def overlap(plan: Plan, shapes: Shapes) -> float:
    """Keys in common, as a share of all keys of both: 0..1."""
    expected = shapes_of(plan.module.state_dict()).keys()
    return len(expected & shapes.keys()) / len(expected | shapes.keys())


def refuse_misfit(
    architecture: Architecture,
    plan: Plan,
    state_dict: Mapping[str, Tensor],
    classes: Mapping[str, str] | None,
    *,
    named: bool,
) -> None:
    """Raise `ArchitectureError` unless every key and shape fits the plan."""
    differing = _differing(plan, state_dict)
    if not differing:
        return
    expected = shapes_of(plan.module.state_dict())
    got = shapes_of(with_aliases(plan.module, state_dict))
    common = overlap(plan, got)
    if common >= NEAR:
        _refuse_channels(architecture, plan.input_key, expected, got)
    what = f"{architecture.name} ({plan.variant})"
    relative = architecture.explain(got)
    if named:
        begin = f"--arch {what} does not fit" + (f" ({relative})" if relative else "")
    elif relative:
        begin = f"{relative}; nearest is {what} with {common:.0%} of the keys, where these differ"
    elif common >= NEAR:
        begin = f"nearest to {what}, but it does not fit"
    else:
        begin = f"{_unknown(got)}; nearest is {what} with {common:.0%} of the keys, where these differ"
    raise ArchitectureError(f"{begin}: {first_few(differing)}{_saved(classes)}; {OWN_CLASS}")


def _unknown(shapes: Shapes) -> str:
    first_keys = ", ".join(map(shown, list(shapes)[:MOST_BEGINNING]))
    return f"no known network fits (known: {', '.join(ARCHITECTURES)}): the checkpoint begins with {first_keys}"


def _saved(classes: Mapping[str, str] | None) -> str:
    """What the file calls its class, where it does."""
    root = classes.get("", next(iter(classes.values()))) if classes else ""
    return f"; the file names its class {shown(root)}" if root else ""


def _refuse_channels(architecture: Architecture, key: str, expected: Shapes, got: Shapes) -> None:
    shape, wanted = got.get(key, ()), expected[key]
    if len(shape) == len(wanted) and shape[1] != wanted[1] and (shape[0], *shape[2:]) == (wanted[0], *wanted[2:]):
        raise ArchitectureError(
            f"this {architecture.name} takes {shape[1]} input channels ({shown(key)} has shape {shape}), "
            f"expected {wanted[1]} (RGB); train it on RGB, or wrap it in a module that takes RGB: {OWN_CLASS}"
        )
