"""How a file was quantized, written down so that the same can be done again without searching."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segexport.errors import RecipeError
from segexport.tflite.ranges import LOGIT_LIMIT
from segruntime.strict_json import Fields, read_json

FILE_NAME = "recipe.json"
FORMAT, VERSION = "segedge.recipe", 1
_MOST_BYTES = 16 << 20
_MOST_LAYERS = 10_000
_LOGIT_LIMITS = 1e-6, 1000.0


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
        f = Fields(data)
        f.header(FORMAT, VERSION)
        recipe = cls(
            precision=f.choice("precision", ["int8"]),
            ranges=f.choice("ranges", ["mean"]),
            logit_limit=f.nullable("logit_limit", lambda key: f.number(key, *_LOGIT_LIMITS)),
            float_layers=f.strings("float_layers"),
        )
        f.finish()
        if len(recipe.float_layers) > _MOST_LAYERS:
            f.fail("float_layers", f"at most {_MOST_LAYERS} names")
        return recipe


PLAIN = Recipe(logit_limit=LOGIT_LIMIT)
"""Everything in integers."""


def load_recipe(path: Path) -> Recipe:
    """A recipe from its file, or from a report that holds one under `recipe`.

    Raises:
        RecipeError: unreadable, or not such a file.
    """
    try:
        body = read_json(path, _MOST_BYTES)
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
