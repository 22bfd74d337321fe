"""The core for other compilers than the one that built it, its header for other standards, and LiteRT linked into a program."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from segedge import Native
from tests.native.conftest import MODELS, NATIVE, command

pytestmark = pytest.mark.usefixtures("built")  # once is enough, and not with a sanitizer in the compilers
MODEL = MODELS / "mobile_unet_int8.tflite"
INCLUDE = f"-I{NATIVE / 'include'}"
STRICT = ["-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wundef", "-Wold-style-cast", "-Werror"]
COMPILERS = {"clang++": [], "arm-linux-gnueabihf-g++": ["-Wno-psabi"]}
"""Others than the preset's, one of them with a `size_t` of 32 bits."""


def complaints(compiler: str, *words: str) -> str:
    """What a compiler says that writes nothing."""
    line = [command(compiler), "-fsyntax-only", INCLUDE, *words]
    return subprocess.run(line, capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize("compiler", COMPILERS)
def test_another_compiler_finds_nothing_in_the_core(compiler: str) -> None:
    sources = sorted(str(path) for path in (NATIVE / "src").glob("*.cc"))
    assert len(sources) > 10
    assert not complaints(compiler, "-std=c++17", *STRICT, *COMPILERS[compiler], *sources)


PROGRAM = """#include <segedge.h>
#include <segedge.h>
segedge_frame frame_of(const uint8_t *pixels);
segedge_frame frame_of(const uint8_t *pixels) {
  const segedge_options options = {sizeof(segedge_options), 1, SEGEDGE_MAX_FEATHER, 0, 0};
  const segedge_frame frame = {SEGEDGE_NV12 | SEGEDGE_FULL_RANGE, options.threads, 1, {pixels, pixels, 0}, {1, 2, 0}};
  return frame;
}
"""


@pytest.mark.parametrize("compiler", ["cc", "clang", "c++", "clang++"])
def test_the_header_is_c99_and_cplusplus_11_and_later(compiler: str, tmp_path: Path) -> None:
    source = tmp_path / ("try.cc" if "++" in compiler else "try.c")
    source.write_text(PROGRAM)
    strict = [flag for flag in STRICT if "++" in compiler or flag != "-Wold-style-cast"]
    for standard in ("c++11", "c++17") if "++" in compiler else ("c99", "c11"):
        assert not complaints(compiler, f"-std={standard}", *strict, str(source))


def test_the_module_map_imports_the_header_as_swift_would(tmp_path: Path) -> None:
    source = tmp_path / "try.m"
    source.write_text("@import Segedge;\n" + PROGRAM.replace("#include <segedge.h>\n", ""))
    assert not complaints("clang", "-fmodules", f"-fmodules-cache-path={tmp_path}", *STRICT, str(source))


def test_litert_may_be_linked_into_the_program(
    built: Path, litert: Path, int8: Native, photo: np.ndarray, tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "in.ppm"), photo)
    library = ["-Wl,--no-as-needed", f"-L{built}", "-lsegedge", str(litert), f"-Wl,-rpath,{built}:{litert.parent}"]
    program = [str(NATIVE / "examples" / "mask.c"), INCLUDE, *library, "-o", str(tmp_path / "mask")]
    subprocess.run([command("cc"), *program], check=True)
    words = [str(MODEL), str(tmp_path / "in.ppm"), str(tmp_path / "out.pgm")]
    environment = {**os.environ, "SEGEDGE_LITERT": "linked"}
    subprocess.run([str(tmp_path / "mask"), *words], env=environment, check=True)
    assert (cv2.imread(str(tmp_path / "out.pgm"), cv2.IMREAD_GRAYSCALE) == int8.alpha(photo)).all()

    without = [str(built / "segedge_mask"), *words]
    refused = subprocess.run(without, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "what is linked into this program is older than 2.2 or no LiteRT" in refused.stderr
