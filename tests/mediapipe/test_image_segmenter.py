"""MediaPipe's ImageSegmenter with the files that segexport writes, as they are, against segruntime with the same files."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

mediapipe = pytest.importorskip("mediapipe", reason="MediaPipe has an environment of its own: make mediapipe-test")

from mediapipe.tasks.metadata import image_segmenter_metadata_schema_py_generated as segmenter_schema  # noqa: E402
from mediapipe.tasks.metadata import metadata_schema_py_generated as metadata_schema  # noqa: E402
from mediapipe.tasks.metadata import schema_py_generated as schema  # noqa: E402
from mediapipe.tasks.python import BaseOptions, vision  # noqa: E402

from segruntime import Segmenter, load  # noqa: E402
from segruntime.preprocess import BYTE_BILINEAR  # noqa: E402

LOG = logging.getLogger(__name__)
HEADS = ("person", "two-channel")
LEAST_IOU = 0.995
AS_THEY_ARE_IOU = 0.985  # a mean; MediaPipe's shrinking alone costs more than LEAST_IOU allows, see docs/mediapipe.md
PICTURE = npt.NDArray[np.uint8]


class Both:
    """One file in both: `(H, W, 3) uint8, BGR` → masks `(H, W) float32, 0–1`."""

    def __init__(self, path: Path) -> None:
        self.ours: Segmenter = load(path)
        options = vision.ImageSegmenterOptions(
            base_options=BaseOptions(model_asset_buffer=path.read_bytes()),
            output_confidence_masks=True,
            output_category_mask=True,
        )
        self.theirs = vision.ImageSegmenter.create_from_options(options)

    def result(self, frame: PICTURE) -> Any:
        rgb = np.ascontiguousarray(frame[:, :, ::-1])
        return self.theirs.segment(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=rgb))

    def confidence(self, frame: PICTURE) -> npt.NDArray[np.float32]:
        masks = self.result(frame).confidence_masks
        assert len(masks) == self.ours.contract.output.channels
        return np.squeeze(masks[self.ours.contract.output.person_channel].numpy_view()).copy()

    def small(self, frame: PICTURE) -> PICTURE:
        """The frame at the network's size, as segruntime shrinks it."""
        spec = self.ours.contract.input
        return np.asarray(cv2.resize(frame, (spec.width, spec.height), interpolation=BYTE_BILINEAR), np.uint8)


def make_both(export: Callable[[str], Path], head: str, precision: str) -> Both:
    path = export(head) / f"mobile_unet_{precision}.tflite"
    assert load(path).contract.input.dtype in ("float32", "uint8")  # MediaPipe takes no other
    return Both(path)


@pytest.fixture(scope="module", params=[(h, p) for h in HEADS for p in ("float32", "int8")], ids="-".join)
def both(request: pytest.FixtureRequest, export: Callable[[str], Path]) -> Both:
    return make_both(export, *request.param)


@pytest.fixture(scope="module", params=HEADS)
def float32(request: pytest.FixtureRequest, export: Callable[[str], Path]) -> Both:
    return make_both(export, request.param, "float32")


@pytest.fixture(scope="module")
def frames(portraits: list[Path]) -> list[PICTURE]:
    return [np.asarray(cv2.imread(str(path)), np.uint8) for path in portraits]


def iou(one: npt.NDArray[Any], two: npt.NDArray[Any]) -> float:
    a, b = one > 0.5, two > 0.5
    return float((a & b).sum() / (a | b).sum())


def test_each_mask_is_the_runtimes_where_mediapipe_has_nothing_to_resize(both: Both, frames: list[PICTURE]) -> None:
    found = [iou(both.confidence(frame), both.ours.alpha(frame)) for frame in map(both.small, frames)]
    LOG.info("mean IoU of the model's size %.4f, least %.4f", np.mean(found), min(found))
    assert min(found) >= LEAST_IOU


def test_the_program_of_the_page_gives_the_runtimes_alpha(
    float32: Both, portraits: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "mediapipe.md").read_text("utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(float32.ours.path, "ckpt_float32.tflite")
    frame = np.asarray(cv2.imread(str(portraits[0])), np.uint8)
    cv2.imwrite("portrait.png", frame)
    names: dict[str, Any] = {}
    exec(compile(program, "mediapipe.md", "exec"), names)  # noqa: S102 the text is ours
    assert np.abs(names["alpha"] - float32.ours.alpha(frame)).max() <= 1e-4


def test_a_float32_probability_is_the_runtimes_number_for_number(float32: Both, frames: list[PICTURE]) -> None:
    for frame in map(float32.small, frames):
        assert np.abs(float32.confidence(frame) - float32.ours.alpha(frame)).max() <= 1e-4


@pytest.mark.parametrize("name", ["segformer", "fpn"])
def test_what_a_library_saved_gives_the_runtimes_mask_number_for_number(
    of_libraries: dict[str, Path], frames: list[PICTURE], name: str
) -> None:
    both = Both(of_libraries[name])
    for frame in map(both.small, frames):
        alpha = both.ours.alpha(frame)
        assert np.ptp(alpha) > 0.5
        assert np.abs(both.confidence(frame) - alpha).max() <= 1e-4


def test_as_they_are_only_mediapipes_shrinking_parts_the_masks(float32: Both, frames: list[PICTURE]) -> None:
    size = float32.ours.contract.input.height, float32.ours.contract.input.width
    found, explained = [], []
    for frame in frames:
        theirs = float32.confidence(frame)
        small = float32.ours.network_mask(corner_warp(frame, size))
        ours = cv2.resize(small, frame.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        found.append(iou(theirs, float32.ours.alpha(frame)))
        explained.append(iou(theirs, ours))
    LOG.info("mean IoU as they are %.4f, least %.4f", np.mean(found), min(found))
    LOG.info("least IoU given its small picture %.4f", min(explained))
    assert np.mean(found) >= AS_THEY_ARE_IOU
    assert min(explained) >= LEAST_IOU


def test_category_zero_is_the_person_with_one_channel_and_the_background_with_two(
    both: Both, frames: list[PICTURE]
) -> None:
    person, background = (0, 255) if both.ours.contract.output.channels == 1 else (1, 0)
    for frame in map(both.small, frames[:3]):
        result = both.result(frame)
        category = np.squeeze(result.category_mask.numpy_view())
        mask = both.confidence(frame)
        assert set(np.unique(category)) == {person, background}
        assert (category[mask > 0.51] == person).all()
        assert (category[mask < 0.49] == background).all()


def test_the_labels_are_those_of_the_contract(both: Both) -> None:
    assert both.theirs.labels == list(both.ours.contract.output.labels)


def test_two_channels_add_up_to_one(export: Callable[[str], Path], frames: list[PICTURE]) -> None:
    both = make_both(export, "two-channel", "float32")
    background, person = (mask.numpy_view() for mask in both.result(both.small(frames[0])).confidence_masks)
    assert np.abs(background + person - 1).max() <= 1e-6


def test_mediapipes_own_schemas_read_the_metadata_as_it_is_meant(float32: Both) -> None:
    metadata = metadata_of(float32.ours.path)
    (graph,) = metadata.subgraphMetadata
    (image,), (mask,), (custom,) = graph.inputTensorMetadata, graph.outputTensorMetadata, graph.customMetadata
    assert image.content.contentProperties.colorSpace == metadata_schema.ColorSpaceType.RGB
    (unit,) = image.processUnits
    assert (list(unit.options.mean), list(unit.options.std)) == ([0], [255])
    assert (list(image.stats.min), list(image.stats.max)) == ([0], [1])
    assert (list(mask.stats.min), list(mask.stats.max)) == ([0], [1])
    (file,) = mask.associatedFiles
    assert (file.name, file.type) == (b"labels.txt", metadata_schema.AssociatedFileType.TENSOR_AXIS_LABELS)
    assert custom.name == b"SEGMENTER_METADATA"
    options = segmenter_schema.ImageSegmenterOptions.GetRootAs(bytes(custom.data), 0)
    assert options.Activation() == segmenter_schema.Activation.NONE


def test_another_normalisation_in_the_metadata_gives_another_mask(
    float32: Both, frames: list[PICTURE], tmp_path: Path
) -> None:
    """That MediaPipe goes by it at all: half the brightness, and the probabilities differ."""
    data = float32.ours.path.read_bytes()
    std = np.float32(255).tobytes()
    at = data.index(b"M001")
    place = data.index(std, at)
    changed = tmp_path / "changed.tflite"
    changed.write_bytes(data[:place] + np.float32(510).tobytes() + data[place + 4 :])
    frame = float32.small(frames[0])
    assert np.abs(Both(changed).confidence(frame) - float32.ours.alpha(frame)).max() > 0.05


def metadata_of(path: Path) -> Any:
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    (entry,) = [
        model.Metadata(k) for k in range(model.MetadataLength()) if model.Metadata(k).Name() == b"TFLITE_METADATA"
    ]
    data = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
    assert metadata_schema.ModelMetadata.ModelMetadataBufferHasIdentifier(data, 0)
    return metadata_schema.ModelMetadataT.InitFromObj(metadata_schema.ModelMetadata.GetRootAs(data, 0))


def corner_warp(frame: PICTURE, size: tuple[int, int]) -> PICTURE:
    """The frame at `size` (height, width) as MediaPipe's CPU path shrinks it: its corners onto the corners.

    The mapping of mediapipe/calculators/tensor/image_to_tensor_converter_opencv.cc.
    """
    height, width = frame.shape[:2]
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    here, there = corners * np.array([width, height], np.float32), corners * np.array(size[::-1], np.float32)
    warp = cv2.getPerspectiveTransform(here, there)
    return np.asarray(cv2.warpPerspective(frame, warp, size[::-1], borderMode=cv2.BORDER_REPLICATE), np.uint8)
