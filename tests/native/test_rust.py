"""The crate in `runtime/native/rust`, built by cargo as a user builds it: the masks of the ctypes binding, to the byte."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from segedge import Native
from tests.native.conftest import MODELS, NATIVE, command

MODEL = MODELS / "mobile_unet_int8.tflite"
Cargo = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photo: np.ndarray) -> Path:
    """What the crate's own tests read, and where they write."""
    folder = tmp_path_factory.mktemp("rust")
    shutil.copy(MODEL, folder / "model.tflite")
    (folder / "frame.rgb").write_bytes(photo[..., ::-1].tobytes())
    cv2.imwrite(str(folder / "in.ppm"), photo)
    return folder


@pytest.fixture(scope="module")
def cargo(built: Path, litert: Path, folder: Path) -> Cargo:
    program = command("cargo")
    command("rustc")
    found = {"SEGEDGE_LIB_DIR": str(built), "LD_LIBRARY_PATH": str(built), "SEGEDGE_LITERT": str(litert)}
    target = {"CARGO_TARGET_DIR": str(NATIVE / "build" / "rust"), "SEGEDGE_TEST_FOLDER": str(folder)}

    def run(word: str, *words: str) -> subprocess.CompletedProcess[str]:
        line = [program, word, "--offline", "--locked", "--release", "--quiet", *words]
        where = NATIVE / "rust"
        return subprocess.run(line, cwd=where, env={**os.environ, **found, **target}, capture_output=True, text=True)

    return run


def test_its_own_tests_pass_and_its_values_are_those_of_python(
    cargo: Cargo, folder: Path, int8: Native, photo: np.ndarray
) -> None:
    """With misuse, which is an error and no panic, and with what the compiler must refuse."""
    done = cargo("test")
    assert done.returncode == 0, done.stdout + done.stderr
    mask = np.fromfile(folder / "mask.bin", np.float32).reshape(photo.shape[:2])
    assert (mask == int8.mask(photo)).all()
    alpha = int8.alpha(photo, preset="fast")
    composite = np.fromfile(folder / "composite.bin", np.uint8).reshape(photo.shape)
    assert (composite == int8.composite(photo, alpha, (30, 200, 10))).all()


def test_the_example_writes_what_the_example_in_c_writes(cargo: Cargo, folder: Path, built: Path, litert: Path) -> None:
    words = [str(MODEL), str(folder / "in.ppm")]
    done = cargo("run", "--example", "mask", "--", *words, str(folder / "rust.pgm"))
    assert done.returncode == 0, done.stderr
    environment = {**os.environ, "SEGEDGE_LITERT": str(litert)}
    subprocess.run([str(built / "segedge_mask"), *words, str(folder / "c.pgm")], env=environment, check=True)
    assert (folder / "rust.pgm").read_bytes() == (folder / "c.pgm").read_bytes()


@pytest.mark.parametrize(
    ("model", "picture", "says"), [("none", "in.ppm", "none: cannot be"), (MODEL, "model.tflite", "PPM")]
)
def test_the_example_says_in_one_line_what_is_wrong(
    cargo: Cargo, folder: Path, model: str | Path, picture: str, says: str
) -> None:
    done = cargo("run", "--example", "mask", "--", str(model), str(folder / picture), str(folder / "none.pgm"))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert says in done.stderr
