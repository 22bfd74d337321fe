"""The library as a program in C meets it: the example, an installed copy found by pkg-config, and its size."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
from segedge import Native
from tests.native.conftest import MODELS, NATIVE, command

MOST_BYTES = 300_000
MODEL = MODELS / "mobile_unet_int8.tflite"


def test_the_example_makes_a_pgm_of_a_ppm(
    built: Path, litert: Path, int8: Native, photo: np.ndarray, tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "in.ppm"), photo)
    words = [str(built / "segedge_mask"), str(MODEL), str(tmp_path / "in.ppm"), str(tmp_path / "out.pgm")]
    environment = {**os.environ, "SEGEDGE_LITERT": str(litert)}
    subprocess.run(words, env=environment, check=True)
    assert (cv2.imread(str(tmp_path / "out.pgm"), cv2.IMREAD_GRAYSCALE) == int8.alpha(photo)).all()


def test_the_example_says_in_one_line_what_is_wrong(built: Path, photo: np.ndarray, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "in.ppm"), photo)
    missing = {**os.environ, "SEGEDGE_LITERT": str(tmp_path / "none.so")}
    for picture, says in (("in.ppm", "none.so cannot be opened"), ("none.ppm", "no binary PPM")):
        words = [str(built / "segedge_mask"), str(MODEL), str(tmp_path / picture), str(tmp_path / "out.pgm")]
        done = subprocess.run(words, env=missing, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        assert says in done.stderr
    assert not (tmp_path / "out.pgm").exists()


PROGRAM = """#include <segedge.h>
#include <stdio.h>
int main(void) { return puts(segedge_version()) < 0; }
"""


def test_an_installed_library_is_found_by_pkg_config_and_its_header_is_c(built: Path, tmp_path: Path) -> None:
    compiler, finder, cmake = command("cc"), command("pkg-config"), command("cmake")
    configured = tmp_path / "build"
    configure = [cmake, "-S", str(NATIVE), "-B", str(configured), f"-DCMAKE_INSTALL_PREFIX={tmp_path}"]
    subprocess.run([*configure, "-DSEGEDGE_EXAMPLES=OFF"], check=True, capture_output=True)
    for name in ("libsegedge.so.0.1.0", "libsegedge.so.0", "libsegedge.so"):
        shutil.copy(built / "libsegedge.so", configured / name)  # built already
    subprocess.run([cmake, "--install", str(configured)], check=True, capture_output=True)
    (where,) = tmp_path.glob("lib/**/segedge.pc")
    found = {**os.environ, "PKG_CONFIG_PATH": str(where.parent)}
    asked = [finder, "--cflags", "--libs", "segedge"]
    flags = subprocess.run(asked, env=found, check=True, capture_output=True, text=True).stdout.split()
    (tmp_path / "try.c").write_text(PROGRAM)
    strict = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *strict, str(tmp_path / "try.c"), *flags, "-o", str(tmp_path / "try")], check=True)
    path = {**os.environ, "LD_LIBRARY_PATH": str(where.parents[1])}
    said = subprocess.run([str(tmp_path / "try")], env=path, check=True, capture_output=True).stdout
    assert said == b"0.1.0\n"


INTERFACE = "version open_file open_buffer error describe mask alpha reset composite self_test inspect close"


def test_the_stripped_library_is_small_and_exports_its_interface_alone(built: Path, tmp_path: Path) -> None:
    stripped = tmp_path / "libsegedge.so"
    subprocess.run([command("strip"), "-o", str(stripped), str(built / "libsegedge.so")], check=True)
    assert stripped.stat().st_size <= MOST_BYTES
    asked = [command("nm"), "-D", "--defined-only", str(stripped)]
    listed = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    names = {line.split()[2] for line in listed.splitlines()}
    assert names == {f"segedge_{name}" for name in INTERFACE.split()}
