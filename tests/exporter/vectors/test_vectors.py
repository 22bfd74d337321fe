"""`segexport vectors` and `check-port`: what is written, that a port in plain numpy meets it, and that faults are named."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tests import messages
from tests.exporter.vectors.numpy_port import Array, index_of, read, resized, write_port

import segexport.vectors.write as module
import segruntime
from segexport.vectors.frames import drawn_frames
from segexport.vectors.mistakes import mistakes_for, name_mistake
from segruntime import Contract
from segruntime.model_file.contract import EXAMPLE
from segruntime.segmenter import BUNDLED

Command = Callable[..., Any]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vectors of the two bundled files, made by the command; nobody may change them."""
    folder = tmp_path_factory.mktemp("vectors")
    for file in BUNDLED.values():
        shutil.copy(file, folder)
    done = subprocess.run(
        [sys.executable, "-m", "segexport", "vectors", str(folder), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((folder / "vectors" / "index.json").read_text())
    return folder / "vectors"


def every_frame(vectors: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return [(model, frame) for model in index_of(vectors)["models"] for frame in (*model["frames"], *model["stream"])]


# what is written


def test_each_array_is_there_twice_with_the_same_values_and_nothing_else_is(made: Path) -> None:
    told = {"index.json"}
    for _, frame in every_frame(made):
        for step, entry in frame["arrays"].items():
            plain = read(made, entry)
            other = (
                cv2.imread(str(made / entry["png"]))[:, :, ::-1] if step == "frame" else np.load(made / entry["npy"])
            )
            np.testing.assert_array_equal(plain, other)
            assert (entry["least"], entry["most"]) == (plain.min(), plain.max())
            told |= {entry["file"], entry["png" if step == "frame" else "npy"]}
    assert told == {str(path.relative_to(made)) for path in made.rglob("*") if path.is_file()}


def test_the_frames_are_as_large_larger_and_smaller_than_the_network_of_both_shapes_and_odd(made: Path) -> None:
    for model in index_of(made)["models"]:
        sizes = [(frame["width"], frame["height"]) for frame in model["frames"]]
        assert sizes == [(256, 256), (320, 179), (179, 265), (97, 75)]
        for frame in model["frames"]:
            alpha = read(made, frame["arrays"]["alpha"])
            assert 0.1 < (alpha > 0.5).mean() < 0.5, "a person and background, or it would check nothing"


def test_alpha_and_the_refined_stream_are_what_the_runtime_gives_for_the_pictures(made: Path) -> None:
    for model in index_of(made)["models"]:
        segmenter = segruntime.load(made.parent / model["file"], threads=1)
        for frame in model["frames"]:
            picture = cv2.imread(str(made / frame["arrays"]["frame"]["png"]))
            np.testing.assert_array_equal(read(made, frame["arrays"]["alpha"]), segmenter.alpha(picture))
            np.testing.assert_array_equal(read(made, frame["arrays"]["probability"]), segmenter.network_mask(picture))
        refine = segruntime.Refiner("balanced")
        for frame in model["stream"]:
            picture = cv2.imread(str(made / frame["arrays"]["frame"]["png"]))
            alpha = refine(segmenter.coarse(picture), np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)))
            np.testing.assert_array_equal(read(made, frame["arrays"]["balanced"]), alpha)


def test_the_stream_shows_whether_a_port_remembers_the_frame_before(made: Path) -> None:
    stream = index_of(made)["models"][0]["stream"]
    alone = segruntime.Refiner("balanced")(*(read(made, stream[1]["arrays"][step]) for step in ("coarse", "luma")))
    assert np.abs(alone.astype(int) - read(made, stream[1]["arrays"]["balanced"])).max() > 2


def test_the_index_names_model_contract_and_tolerances_by_its_precision(made: Path) -> None:
    onnx_, tflite = index_of(made)["models"]
    assert onnx_["contract"] == json.loads(segruntime.load(BUNDLED["onnx"]).contract.to_text())
    assert onnx_["model_sha256"] == module.model_sha256(BUNDLED["onnx"].read_bytes())
    assert onnx_["tolerances"]["input"] == {"largest": 1e-6}
    assert onnx_["tolerances"]["alpha"] == {"largest": 1e-3}
    assert tflite["tolerances"]["input"] == {"largest": 0}
    assert tflite["tolerances"]["alpha"] == {"mean": 0.01, "mask_iou": 0.99}


def test_one_model_takes_less_than_17_megabytes(made: Path) -> None:
    for model in index_of(made)["models"]:
        assert sum(path.stat().st_size for path in (made / model["folder"]).iterdir()) < 17e6


def test_two_runs_give_the_same_bytes(made: Path, segexport: Command, tmp_path: Path) -> None:
    assert segexport("vectors", BUNDLED["tflite"], "-o", tmp_path / "again").code == 0
    folder = BUNDLED["tflite"].name
    for path in (made / folder).iterdir():
        assert path.read_bytes() == (tmp_path / "again" / folder / path.name).read_bytes(), path.name


def test_pictures_of_the_user_are_shrunk_and_their_names_stay_at_home(segexport: Command, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    cv2.imwrite(str(tmp_path / "mine" / "anna.png"), cv2.resize(drawn_frames(1, 64, 64)[0].pixels, (1024, 700)))
    ran = segexport("vectors", BUNDLED["tflite"], "--images", tmp_path / "mine", "-o", tmp_path / "out", "--json")
    frame = json.loads(ran.out)["models"][0]["frames"][0]
    assert (frame["width"], frame["height"]) == (512, 350)
    assert "anna" not in (tmp_path / "out" / "index.json").read_text()
    assert not [path for path in (tmp_path / "out").rglob("*") if "anna" in path.name]


def test_an_exports_folder_gives_vectors_of_each_kept_file(exported: Any, segexport: Command, tmp_path: Path) -> None:
    ran = segexport("vectors", exported.folder, "-o", tmp_path / "out", "--count", 1, "--json")
    kept = [row["name"] for row in exported.body["files"] if row["kept"]]
    assert [model["file"] for model in json.loads(ran.out)["models"]] == kept


def test_the_command_imports_neither_torch_nor_a_converter(tmp_path: Path) -> None:
    words = ["segexport", "vectors", str(BUNDLED["tflite"]), "-o", str(tmp_path / "out")]
    program = (
        f"import sys; sys.argv = {words!r}; from segexport.cli import main; main(); "
        "print(sorted({'torch', 'tensorflow', 'onnx', 'onnx2tf'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


# a port in numpy alone


def test_a_port_in_numpy_alone_meets_every_step(made: Path, segexport: Command, tmp_path: Path) -> None:
    ran = segexport("check-port", made, write_port(made, tmp_path / "port"), "--json")
    rows = json.loads(ran.out)
    assert ran.code == 0, ran.err
    assert {row["step"] for row in rows if row["given"]} == {"input", "output", "probability", "alpha"}
    assert all(row["largest"] <= 1e-6 for row in rows), "the resize to the bit, the rest to rounding"
    table = segexport("check-port", made, tmp_path / "port").out
    assert "near enough" in table
    assert "not written" in table
    assert "differs" not in table


def test_the_first_step_that_differs_is_named(made: Path, segexport: Command, tmp_path: Path) -> None:
    port = write_port(made, tmp_path / "port", lambda step, array: array * 2 if step == "probability" else array)
    ran = segexport("check-port", made, port)
    assert ".probability.bin: differs by up to" in ran.refusal
    assert "Mend probability first" in ran.refusal


@pytest.mark.parametrize("kind", ["onnx", "tflite"])
def test_each_known_mistake_in_the_input_is_told_by_its_name(kind: str) -> None:
    spec = segruntime.load(BUNDLED[kind]).contract.input
    frame = drawn_frames(4, spec.width, spec.height)[2].pixels
    for name, mistake in mistakes_for(spec).items():
        assert name_mistake(mistake(frame, spec), frame, spec) == name


def test_noise_is_told_as_no_known_mistake() -> None:
    spec = segruntime.load(BUNDLED["tflite"]).contract.input
    frame = drawn_frames(1, 320, 240)[0].pixels
    noise = np.random.default_rng(0).integers(-128, 128, spec.shape).astype(np.int8).view(spec.dtype)
    assert name_mistake(noise, frame, spec) is None


def test_the_documented_table_can_be_made_again() -> None:
    script = Path(__file__).with_name("port_mistakes.py")
    done = subprocess.run(
        [sys.executable, str(script), str(BUNDLED["tflite"])], capture_output=True, text=True, check=True
    )
    lines = [line.split(" | ") for line in done.stdout.splitlines()[2:]]
    spec = segruntime.load(BUNDLED["tflite"]).contract.input
    assert [line[0].strip("| ") for line in lines[: len(mistakes_for(spec))]] == list(mistakes_for(spec))
    assert all(line[1] != "0, 0" for line in lines), "each changes something"


def test_swapped_colours_fail_the_check_and_are_named(made: Path, segexport: Command, tmp_path: Path) -> None:
    def swap(step: str, array: Array) -> Array:
        return np.flip(array, 1 if array.shape[1] == 3 else 3) if step == "input" else array

    ran = segexport("check-port", made, write_port(made, tmp_path / "port", swap))
    assert "it looks like this: red and blue are swapped" in ran.refusal


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda array: array[..., :-1], "bytes, expected"),
        (lambda array: array * np.float32(np.nan) if array.dtype == np.float32 else array, "holds NaN or infinity"),
    ],
)
def test_a_ports_array_of_another_size_or_with_nan_is_refused(
    change: Callable[[Array], Array], told: str, made: Path, segexport: Command, tmp_path: Path
) -> None:
    port = write_port(made, tmp_path / "port", lambda step, array: change(array) if step == "alpha" else array)
    assert told in segexport("check-port", made, port).refusal


# the folder


def test_a_folder_that_is_there_is_left_alone_without_overwrite(segexport: Command, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "precious.txt").write_text("mine")
    ran = segexport("vectors", BUNDLED["tflite"], "-o", target)
    assert ran.refusal == (f"segexport: {target}: {messages.ALREADY_THERE} or --output DIR")
    ran = segexport("vectors", BUNDLED["tflite"], "-o", target, "--overwrite")
    assert "holds something else than vectors; nothing was changed" in ran.refusal
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "precious.txt"]


def test_overwrite_replaces_the_whole_folder(segexport: Command, tmp_path: Path) -> None:
    assert segexport("vectors", BUNDLED["tflite"], "-o", tmp_path / "out", "--count", 3).code == 0
    assert segexport("vectors", BUNDLED["tflite"], "-o", tmp_path / "out", "--count", 1, "--overwrite").code == 0
    assert not list((tmp_path / "out").rglob("3_portrait_odd*"))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_an_interrupted_run_leaves_the_old_folder_and_no_draft(
    error: BaseException, segexport: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert segexport("vectors", BUNDLED["tflite"], "-o", tmp_path / "out", "--count", 1).code == 0
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*.bin"))

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(module, "write_stream", fail)
    ran = segexport("vectors", BUNDLED["tflite"], "-o", tmp_path / "out", "--overwrite")
    assert ran.code == (130 if isinstance(error, KeyboardInterrupt) else 1)
    assert "\n" not in ran.refusal
    assert messages.NOTHING_LEFT in ran.refusal
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*.bin")) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_swap_that_fails_puts_the_old_folder_back(
    segexport: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert segexport("vectors", BUNDLED["tflite"], "-o", tmp_path / "out", "--count", 1).code == 0
    replace = module.os.replace

    def fail_second(source: Path, target: Path) -> None:
        if Path(source).name == "vectors":
            raise OSError(5, "Input/output error")
        replace(source, target)

    monkeypatch.setattr(module.os, "replace", fail_second)
    assert segexport("vectors", BUNDLED["tflite"], "-o", tmp_path / "out", "--overwrite").code == 1
    assert (tmp_path / "out" / "index.json").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


# bad input


def foreign(folder: Path, *, nan: bool = False) -> Path:
    """An ONNX file without a contract inside: the mean of three channels, 48 by 32; its contract next to it says letterbox."""
    operator = helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1], keepdims=1)
    last = helper.make_node("Log" if nan else "Identity", ["negative" if nan else "mean"], ["y"])
    nodes = [operator, *([helper.make_node("Neg", ["mean"], ["negative"])] if nan else []), last]
    shapes = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, c, 32, 48]) for n, c in (("x", 3), ("y", 1))]
    graph = helper.make_graph(nodes, "mean", shapes[:1], shapes[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "mean.onnx"))
    body = EXAMPLE.to_json()
    body["input"] |= {"width": 48, "height": 32, "layout": "NCHW", "color": "bgr", "resize": "letterbox"}
    body["output"] |= {"width": 48, "height": 32, "layout": "NCHW"}
    Contract.from_json(body)
    (folder / "mean.contract.json").write_text(json.dumps(body))
    return folder / "mean.onnx"


def test_a_foreign_model_with_a_letterbox_and_a_contract_beside_it_has_vectors_too(
    segexport: Command, tmp_path: Path
) -> None:
    ran = segexport("vectors", foreign(tmp_path), "--json")
    assert ran.code == 0, ran.err
    frame = json.loads(ran.out)["models"][0]["frames"][3]
    vectors = tmp_path / "mean_vectors"
    region, (height, width) = frame["region_in_input"], (frame["height"], frame["width"])
    assert (region["width"], region["height"]) == (
        min(48, round(width * 32 / height)),
        min(32, round(height * 48 / width)),
    )
    tensor = read(vectors, frame["arrays"]["input"])
    inside = tensor[0, :, region["top"] : region["top"] + region["height"]]
    inside = inside[..., region["left"] : region["left"] + region["width"]]
    expected = resized(read(vectors, frame["arrays"]["frame"]), region["width"], region["height"])[:, :, ::-1]
    np.testing.assert_allclose(inside, expected.transpose(2, 0, 1) / 255, atol=1e-7)
    assert tensor.sum() == pytest.approx(inside.sum(), rel=1e-5), "the border is byte 0"


def test_a_network_that_gives_nan_is_refused(segexport: Command, tmp_path: Path) -> None:
    ran = segexport("vectors", foreign(tmp_path, nan=True))
    assert "its output for 1_same holds NaN or infinity, expected finite numbers" in ran.refusal
    assert not (tmp_path / "mean_vectors").exists()


def test_what_is_no_model_is_refused_in_one_line(segexport: Command, tmp_path: Path) -> None:
    (tmp_path / "text.tflite").write_text("no model")
    (tmp_path / "empty").mkdir()
    for path, told in [
        (tmp_path / "nothing", "nothing there, expected a .tflite or .onnx file or an export's folder"),
        (tmp_path / "empty", "a model file is not in it"),
        (tmp_path / "text.tflite", "text.tflite"),
    ]:
        ran = segexport("vectors", path)
        assert told in ran.refusal
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "text.tflite"]


def test_pictures_that_cannot_be_read_are_refused_by_name(segexport: Command, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff" + struct.pack(">I", 7))
    ran = segexport("vectors", BUNDLED["tflite"], "--images", tmp_path, "-o", tmp_path / "out")
    assert "broken.jpg" in ran.refusal
    assert "expected a picture" in ran.refusal
    ran = segexport("vectors", BUNDLED["tflite"], "--images", tmp_path / "none", "-o", tmp_path / "out")
    assert "expected a folder of pictures" in ran.refusal


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("file", "../../../etc/passwd", "is no path inside the folder"),
        ("file", "/etc/passwd", "is no path inside the folder"),
        ("file", "x/missing.bin", "nothing there, expected"),
        ("dtype", "object", "dtype is 'object', expected one of float32"),
        ("shape", [1 << 40, 1 << 40], "shape"),
        ("shape", [60000, 60000, 60000], "expected 216000000000000 bytes"),
        ("shape", "abc", "damaged"),
        ("shape", [256 * 256 * 3], "damaged"),
    ],
)
def test_a_hostile_index_is_refused_before_anything_is_read(
    field: str, value: object, told: str, made: Path, segexport: Command, tmp_path: Path
) -> None:
    index = index_of(made)
    index["models"][0]["frames"][0]["arrays"]["frame"][field] = value
    (tmp_path / "index.json").write_text(json.dumps(index))
    ran = segexport("check-port", tmp_path, made)
    assert told in ran.refusal


def test_a_folder_without_vectors_or_without_the_ports_files_is_refused(
    made: Path, segexport: Command, tmp_path: Path
) -> None:
    assert "cannot be read as vectors of version 1" in segexport("check-port", tmp_path, made).refusal
    assert "holds none of the 64 files" in segexport("check-port", made, tmp_path).refusal
    assert "no such folder" in segexport("check-port", made, tmp_path / "nowhere").refusal
    (tmp_path / "index.json").write_text('{"format": "segedge.vectors", "version": 2, "models": []}')
    assert "version is 2, expected 1" in segexport("check-port", tmp_path, made).refusal
    (tmp_path / "index.json").write_text('{"format": "segedge.vectors", "version": 1, "models": [[]]}')
    assert "damaged" in segexport("check-port", tmp_path, made).refusal
