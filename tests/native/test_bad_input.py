"""What a program in C can hand over wrongly: `bad_input.c`, one function a row, each with its status and its line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.native.conftest import MODELS, NATIVE
from tests.native.fuzz.seeds import small_model

SOURCES = [str(Path(__file__).with_name(name)) for name in ("bad_input.c", "bad_files.c")]
STRICT = ["-std=c11", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-g"]


def compiled(words: list[str], out: Path) -> str:
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("needs a C compiler")
    plain = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    done = subprocess.run([compiler, *words, "-o", str(out)], env=plain, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return str(out)


def litert_without(name: str, folder: Path) -> str:
    """A library with all that the core asks LiteRT's for, but not `name`."""
    asked = re.findall(r"(?:SEGEDGE_CALL\(|\"LiteRt)([A-Z]\w+)", (NATIVE / "src" / "litert.cc").read_text("utf-8"))
    wanted = ["kLiteRtRuntimeBuiltin", *(f"LiteRt{one}" for one in asked)]
    assert name in wanted
    source = folder / f"without_{name}.c"
    source.write_text("".join(f"int {one};\n" for one in wanted if one != name))
    return compiled(["-shared", "-fPIC", str(source)], source.with_suffix(".so"))


def test_everything_wrong_is_refused_in_one_line_that_says_what_was_found(
    core: Path, litert: Path, tmp_path: Path
) -> None:
    linked = ["-L", str(core.parent), "-lsegedge", f"-Wl,-rpath,{core.parent}"]
    program = compiled([*STRICT, "-I", str(NATIVE / "include"), *SOURCES, *linked], tmp_path / "bad_input")
    small = tmp_path / "small.tflite"
    small.write_bytes(small_model(tmp_path))
    older, lacking = (litert_without(name, tmp_path) for name in ("kLiteRtRuntimeBuiltin", "LiteRtRunCompiledModel"))
    # the preset `sanitize` is built without NDEBUG
    debug = ["debug"] if core.parent.name == "sanitize" else []
    words = [program, str(small), str(MODELS / "mobile_unet_int8.tflite"), str(litert), older, lacking, *debug]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
