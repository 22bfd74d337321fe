"""How a file was quantized, written down so that the same can be done again without searching."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segexport.errors import RecipeError
from segruntime.strict_json import parse_json

FILE_NAME = "recipe.json"
FORMAT, VERSION = "segedge.recipe", 1
_MOST_BYTES = 256 * 1024
_MOST_LAYERS = 10_000
_FIELDS = {"format", "version", "precision", "ranges", "logit_limit", "float_layers"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One quantization: `float_layers` are names of operators' outputs in the float32 file."""

    precision: str = "int8"
    ranges: str = "mean"
    logit_limit: float | None = None
    float_layers: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"format": FORMAT, "version": VERSION, **asdict(self), "float_layers": list(self.float_layers)}

    @classmethod
    def from_json(cls, data: object) -> Recipe:
        """From a parsed JSON object.

        Raises:
            ValueError: naming the field that is missing, unknown or of another kind.
        """
        if not isinstance(data, dict) or data.get("format") != FORMAT or data.get("version") != VERSION:
            raise ValueError(f"expected an object with format {FORMAT!r} and version {VERSION}")
        if set(data) != _FIELDS:
            raise ValueError(f"fields {', '.join(sorted(map(str, set(data) ^ _FIELDS)))} are missing or unknown")
        layers, limit = data["float_layers"], data["logit_limit"]
        if not isinstance(layers, list) or len(layers) > _MOST_LAYERS or not all(isinstance(x, str) for x in layers):
            raise ValueError("float_layers is no list of names")
        if limit is not None and (type(limit) not in (int, float) or not 0 < limit <= 1000):
            raise ValueError(f"logit_limit is {limit!r}, expected null or a number above 0, at most 1000")
        if data["precision"] != "int8" or data["ranges"] != "mean":
            raise ValueError(
                f"precision {data['precision']!r} and ranges {data['ranges']!r}, expected 'int8' and 'mean'"
            )
        return cls(logit_limit=limit, float_layers=tuple(layers))


def load_recipe(path: Path) -> Recipe:
    """A recipe from its file, or from a report that holds one under `recipe`.

    Raises:
        RecipeError: unreadable, or not such a file.
    """
    try:
        data = path.read_bytes()
        if len(data) > 64 * _MOST_BYTES:
            raise ValueError(f"it has {len(data)} bytes")
        body = parse_json(data.decode("utf-8"))
        inner = body.get("recipe") if isinstance(body, dict) and "recipe" in body else body
        return Recipe.from_json(inner)
    except (OSError, ValueError) as error:
        raise RecipeError(
            f"{path}: no recipe ({' '.join(str(error).split())[:200]}); "
            "give the recipe.json or report.json of an earlier export"
        ) from error


def save_recipe(path: Path, recipe: Recipe) -> None:
    path.write_text(json.dumps(recipe.to_json(), indent=1) + "\n", "utf-8")


def check_layers(recipe: Recipe, known: Collection[str]) -> None:
    """Raise RecipeError where the recipe names a layer that the float32 file does not have."""
    unknown = [name for name in recipe.float_layers if name not in known]
    if unknown:
        raise RecipeError(
            f"--recipe: {len(unknown)} of its {len(recipe.float_layers)} layers are not in this network, first {unknown[0]!r}; "
            "the recipe belongs to another network, size or converter version: search again with --max-iou-drop"
        )
