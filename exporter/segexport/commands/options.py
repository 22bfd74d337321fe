"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from segexport.options import LAYOUTS, parse_arguments, parse_head, parse_size, parse_triple
from segexport.pictures.calibration import MOST
from segexport.presets import COLORS, GOLDEN, HEADS, OUTPUTS, PREPROCESSING, SCALES

F = TypeVar("F", bound=Callable[..., Any])


def checked(parse: Callable[[Any], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A value that `parse` refuses is wrong usage."""

    def callback(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        try:
            return None if value is None else parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error), context, parameter) from error

    return callback


def network_options() -> list[Callable[[F], F]]:
    """What `networks.network.Asked` holds."""
    arguments = checked(parse_arguments)
    return [
        click.option("--arch", metavar="NAME|package.module:factory", help="A known network, or your own class."),
        click.option(
            "--arch-args",
            multiple=True,
            callback=arguments,
            metavar="NAME=VALUE",
            help="For the factory of --arch: widths=8,16. May be repeated.",
        ),
        click.option(
            "--set",
            "forward_args",
            multiple=True,
            callback=arguments,
            metavar="NAME=VALUE",
            help="For its forward, next to the picture. May be repeated.",
        ),
        click.option("--output-index", metavar="N|NAME", help="Of several outputs the one that the mask is made of."),
        click.option(
            "--layout",
            type=click.Choice(LAYOUTS),
            default=LAYOUTS[0],
            help="What its forward takes.",
            show_default=True,
        ),
        click.option(
            "--size", callback=checked(parse_size), metavar="N|HxW", help="Input size; default: the network's."
        ),
    ]


def export_options(command: F) -> F:
    """The checkpoint, its network, and all that every export asks for."""
    presets = ", ".join(f"{name}: {preset.summary}" for name, preset in PREPROCESSING.items())
    for option in reversed(
        [
            click.argument("checkpoint", type=click.Path(path_type=Path)),
            *network_options(),
            click.option(
                "--preprocess",
                type=click.Choice(list(PREPROCESSING)),
                help=f"How training prepared its pictures. {presets}. Default: imagenet, and it says so.",
            ),
            click.option("--mean", callback=checked(parse_triple), help="One or three numbers."),
            click.option("--std", callback=checked(parse_triple), help="One or three numbers."),
            click.option(
                "--scale",
                type=click.Choice(SCALES),
                help="Whether --mean and --std are for pictures in 0..1 or 0..255. Default: as they look, and it says so.",
            ),
            click.option(
                "--color",
                type=click.Choice(COLORS),
                help="The order the network was trained on; default: the network's, or rgb.",
            ),
            click.option("--person", type=int, metavar="INDEX", help="The person's channel, where there are several."),
            click.option(
                "--head",
                callback=checked(parse_head),
                default=f"{HEADS[0]},{OUTPUTS[0]}",
                metavar="LIST",
                help=f"How the network ends, of {', '.join(HEADS)} (none: in a probability), and what the files give, of "
                f"{', '.join(OUTPUTS)} (background and person).",
            ),
            click.option("--output", type=click.Path(path_type=Path), metavar="DIR", help="Default: CKPT_export."),
            click.option("--overwrite", is_flag=True, help="Replace files of the same names."),
            click.option(
                "--allow-inaccurate", is_flag=True, help="Keep files over their bound; their contract says so."
            ),
            click.option(
                "--calibration",
                type=click.Path(path_type=Path),
                metavar="DIR",
                help="Pictures of people: half calibrates int8, half is compared.",
            ),
            click.option(
                "--pictures", type=click.IntRange(min=2), default=MOST, help="Take at most so many.", show_default=True
            ),
            click.option(
                "--golden",
                type=click.Choice(GOLDEN),
                default="drawn",
                help="Pictures inside each file for `verify FILE`; pictures: some of yours. Default: drawn ones.",
            ),
            click.option("--timeout", type=click.FloatRange(min=1), default=1800, help="Seconds for each converter."),
            click.option("--json", "as_json", is_flag=True, help="The report on standard output, for machines."),
        ]
    ):
        command = option(command)
    return command


def asked_options(command: F) -> F:
    """What says which network it is."""
    for option in reversed(network_options()):
        command = option(command)
    return command
