"""The tables of docs/networks.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from segbench.results.export import as_table
from zoo.results import WAYS, ZooResult

NOTHING = "–"
_CONVERTERS = WAYS[: WAYS.index("saved")]
_SAVED = (
    *(
        "network",
        "saved as",
        "taken",
        "seconds",
        "difference",
        "IoU",
        "ms",
        "not on XNNPACK",
        "int8: IoU",
        "drop",
        "ms",
    ),
    "not on XNNPACK",
)


def networks_table(result: ZooResult) -> str:
    """A row for each network, a column for each converter."""
    header = ("network", "parameters", *_CONVERTERS)
    return as_table(header, [_row(one) for one in result.networks], numeric=(1,))


def saved_table(result: ZooResult) -> str:
    """What its user has, given to the command as it is: float32, then int8 that may lose two points of IoU."""
    rows = [_saved_row(one) for one in result.networks if "saved" in one["cells"]]
    return as_table(_SAVED, rows, numeric=(3, 4, 5, 6, 8, 9, 10))


def notes(result: ZooResult) -> str:
    """Machine and versions, then every refusal in its own words."""
    machine = result.header.machine
    versions: dict[str, str] = {}
    for one in result.networks:
        versions |= (one["facts"] or {}).get("packages", {})
    said = [
        f"{machine.cpu}, {machine.cores} cores, load {machine.load_average_1min or 0:.2f} before",
        ", ".join(f"{name} {version}" for name, version in sorted(versions.items())),
        *_refusals(result),
    ]
    if result.interrupted:
        said.append("interrupted: this was measured until then")
    return "\n".join(f"- {line}" for line in said)


def _row(network: dict[str, Any]) -> list[str]:
    facts = network["facts"]
    size = NOTHING if facts is None else f"{facts['parameters'] / 1e6:.1f} M"
    return [_title(network), size, *(_cell(network["cells"].get(way)) for way in _CONVERTERS)]


def _title(network: dict[str, Any]) -> str:
    library = {"segmentation-models-pytorch": "smp"}.get(network["library"], network["library"])
    return f"{library} {network['title']}"


def _cell(cell: dict[str, Any] | None) -> str:
    """`3e-07 · IoU 1.0000 · 7.1 s · 41 ms · 2 off`."""
    if cell is None:
        return NOTHING
    file = _kept(cell, "float32")
    if file is None:
        return f"refused · {cell['seconds']:.0f} s"
    off = sum((file["elsewhere"] or {}).values())
    return (
        f"{file['max_difference']:.0e} · IoU {file['mask_iou']:.4f} · {cell['seconds']:.1f} s · "
        f"{file['invoke_p50_ms']:.0f} ms" + (f" · {off} off" if off else "")
    )


def _saved_row(network: dict[str, Any]) -> list[str]:
    cell = network["cells"]["saved"]
    float32, int8 = _kept(cell, "float32"), _kept(cell, "int8")
    return [
        _title(network),
        network["saved"],
        cell["taken"] or "refused",
        f"{cell['seconds']:.1f}",
        *_numbers(float32, f"{float32['max_difference']:.0e}" if float32 else NOTHING),
        *_int8_numbers(float32, cell["files"].get("int8"), kept=int8 is not None),
    ]


def _numbers(file: dict[str, Any] | None, first: str) -> list[str]:
    if file is None:
        return [first, NOTHING, NOTHING, NOTHING]
    return [first, f"{file['mask_iou']:.4f}", f"{file['invoke_p50_ms']:.1f}", _off(file)]


def _int8_numbers(float32: dict[str, Any] | None, int8: dict[str, Any] | None, *, kept: bool) -> list[str]:
    """IoU with PyTorch, how many points of it the int8 file loses, milliseconds, operators elsewhere."""
    if float32 is None or int8 is None:
        return [NOTHING] * 4
    drop = 100 * (float32["mask_iou"] - int8["mask_iou"])
    said = f"{int8['mask_iou']:.4f}" + ("" if kept else ", refused")
    return [said, f"{drop:.2f}", f"{int8['invoke_p50_ms']:.1f}", _off(int8) if kept else NOTHING]


def _off(file: dict[str, Any]) -> str:
    if file["elsewhere"] is None:
        return "?"
    return ", ".join(f"{count} {kind}" for kind, count in file["elsewhere"].items()) or NOTHING


def _kept(cell: dict[str, Any], precision: str) -> dict[str, Any] | None:
    file: dict[str, Any] | None = cell["files"].get(precision)
    return file if file is not None and file["kept"] else None


def _refusals(result: ZooResult) -> Iterator[str]:
    for network in result.networks:
        if network["failure"]:
            yield f"{_title(network)}: was not made: {network['failure']}"
        for way, cell in network["cells"].items():
            # the last line of a refusal points to the reasons of each converter, where there are several
            reasons = [f"{name}: {text}" for name, text in cell["refused"].items()] or [cell["refusal"]]
            yield from (f"{_title(network)}, {way}: {text}" for text in reasons if text)
