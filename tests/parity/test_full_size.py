"""The seed layouts at full size, as whole modules whose class is gone: through the command to float32 and int8 that load.

The environment is activated, as most people's is: what its folder of programs holds must not matter.

Weights are random (He-scaled, lively batch norms), so a mask means nothing and int8 is not held to a mask IoU. float32 is
held to its bound, or, in networks with unpools, to its bound when PyTorch makes the file's choices (near-ties go either way
with rounding); int8 to a probability that moves by a few hundredths on average, which noise does not keep.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.exporter.golden.lively_weights import lively_state_dict  # noqa: E402 the light environment has no torch
from torch import nn  # noqa: E402

from segexport.compare.flips import audit_flips  # noqa: E402
from segexport.convert.setup.place import is_ready  # noqa: E402
from segexport.convert.torch_rewrites.lower import lower  # noqa: E402
from segexport.networks.recognise import recognise  # noqa: E402
from segexport.pictures.files import draw_pictures  # noqa: E402
from segexport.presets import PREPROCESSING  # noqa: E402
from segexport.subject.deploy import Deployable, choose_head  # noqa: E402
from segruntime import load  # noqa: E402

SEED = Path(__file__).parents[2].parent / "shared" / "seed-checkpoints"
HOMES = {
    "unet": "no_such_training_script.UNet",
    "deeplabv3_torchvision": "torchvision.models.segmentation.deeplabv3.DeepLabV3",
    "deeplabv3_custom": "no_such_training_script.DeepLabV3",
    "segnet": "no_such_training_script.SegNet",
    "segresnet": "no_such_training_script.SegResNet",
}
UNPOOLS = {"segnet": 5, "segresnet": 1}
# names of one and the same module in deeplabv3_custom, as seed-checkpoints/README.md and its parameter count tell
SHARED = {
    "in_conv.": "stem.0.",
    "in_bn.": "stem.1.",
    "begin_resnet_layers.": "stem.",
    "resnet_4.0.": "stem.0.",
    "resnet_4.1.": "stem.1.",
    "renset_2.0.": "stem.0.",
    "renset_2.1.": "stem.1.",
    "resnet_4_layers.0.": "layer1.",
    "resnet_2_layers.0.": "layer1.",
    "resnet_4.4.": "layer1.",
    "renset_2.4.": "layer1.",
    "resnet_4_layers.1.": "layer2.",
    "resnet_4.5.": "layer2.",
    "resnet_4_layers.2.": "layer3.",
    "resnet_4.6.": "layer3.",
}
EVERY_DAY = ("unet", "segresnet")  # test_rewrites_convert.py holds the rewrites of the others at small sizes
MOST_MEAN_DIFFERENCE = 0.05
MOST_DIFFERENCE_SAME_CHOICES = 1e-3
MOST_FLIPPED = 1e-4  # of all windows: 3e-6 and fewer were seen

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_ready("direct"), reason="converter direct is not installed here: segexport setup direct"),
]


def weights(name: str) -> dict[str, Any]:
    keys = json.loads((SEED / f"{name}.keys.json").read_text())
    arrays = lively_state_dict({key: tuple(shape) for key, shape in keys.items()})
    seen: dict[str, Any] = {}
    return {key: seen.setdefault(one_name(key), torch.from_numpy(array)) for key, array in arrays.items()}


def one_name(key: str) -> str:
    return next((ours + key[len(theirs) :] for theirs, ours in SHARED.items() if key.startswith(theirs)), key)


def save_whole_module(state: dict[str, Any], home: str, path: Path) -> None:
    """`torch.save(model)` by a class that is gone afterwards; every submodule is a plain Sequential."""
    module_name, _, class_name = home.rpartition(".")
    parts = module_name.split(".")
    names = [".".join(parts[: k + 1]) for k in range(len(parts))]
    fakes = {name: types.ModuleType(name) for name in names}
    kind = type(class_name, (nn.Module,), {"__module__": module_name})
    vars(fakes[module_name])[class_name] = kind
    root = kind()
    for key, tensor in state.items():
        *above, leaf = key.split(".")
        node = root
        for part in above:
            if part not in node._modules:
                node.add_module(part, nn.Sequential())
            node = node._modules[part]
        if leaf in ("weight", "bias"):
            node.register_parameter(leaf, nn.Parameter(tensor, requires_grad=False))
        else:
            node.register_buffer(leaf, tensor)
    sys.modules.update(fakes)
    try:
        torch.save(root.eval(), path)
    finally:
        for name in names:
            del sys.modules[name]


def hold_to_same_choices(name: str, paths: list[Path]) -> None:
    network = recognise(weights(name))
    graph = Deployable(network.module, PREPROCESSING["imagenet"], "rgb", choose_head("auto", network, None)).eval()
    size = network.default_size
    lowered = lower(graph, torch.zeros(1, 3, *size))
    frames = np.stack([cv2.resize(picture, size[::-1]) for picture in draw_pictures(2, size=256, seed=21)])
    for path in paths:
        flips = audit_flips(path, graph, lowered.module, frames)
        assert flips.lowering_difference == 0
        assert flips.flipped <= MOST_FLIPPED * flips.windows
        assert flips.max_difference_same_choices <= MOST_DIFFERENCE_SAME_CHOICES


def hold_to_builtin_operators(path: Path) -> None:
    """No operator that a plain runtime lacks, and no padding with minus infinity."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    plain.allocate_tensors()
    operators = Counter(op["op_name"] for op in plain._get_ops_details())
    assert not [name for name in operators if name.startswith(("Flex", "CUSTOM")) or name != name.upper()]
    assert "PADV2" not in operators
    for op in plain._get_ops_details():
        if op["op_name"] in ("PAD", "MAXIMUM", "CONCATENATION"):
            constants = [plain.get_tensor(int(index)) for index in op["inputs"][1:]]
            assert all(np.isfinite(constant).all() for constant in constants)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in EVERY_DAY else pytest.mark.full) for name in sorted(HOMES)]
)
def test_a_full_size_module_becomes_float32_and_int8_files_that_load(name: str, tmp_path: Path) -> None:
    if not SEED.is_dir():
        pytest.skip("the key lists of ../shared are not here")
    checkpoint, pictures, output = tmp_path / f"{name}.pth", tmp_path / "pictures", tmp_path / "out"
    save_whole_module(weights(name), HOMES[name], checkpoint)
    pictures.mkdir()
    for index, picture in enumerate(draw_pictures(8, size=256)):
        cv2.imwrite(str(pictures / f"{index}.png"), picture)
    words = ["tflite", str(checkpoint), "--calibration", str(pictures), "--output", str(output)]
    words += ["--preprocess", "imagenet", "--precision", "float32,float16,int8", "--allow-inaccurate", "--json"]
    activated = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    command = [sys.executable, "-m", "segexport", *words]
    ran = subprocess.run(command, env=activated, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    rows = {row["precision"]: row for row in json.loads(ran.stdout)["files"]}
    for kind in ("onnx", "float32", "float16"):  # argmax flips counted apart, which only unpools have
        assert rows[kind]["within_bound"], rows[kind]
        assert (rows[kind]["flips"] is not None) <= (name in UNPOOLS)
    if name in UNPOOLS:
        assert rows["float32"]["flips"]["lowering_difference"] == 0
        hold_to_same_choices(name, [output / rows["float32"]["name"]])
    hold_to_builtin_operators(output / rows["float32"]["name"])
    assert rows["int8"]["mean_difference"] <= MOST_MEAN_DIFFERENCE
    assert rows["int8"]["size_bytes"] <= 0.3 * rows["float32"]["size_bytes"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # XNNPACK that fails to prepare would be a warning
        assert load(output / rows["int8"]["name"]).contract.input.dtype == "uint8"
