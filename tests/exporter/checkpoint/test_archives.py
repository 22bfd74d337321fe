"""TorchScript and .pt2 archives: the same weights under the same names as the module that was saved."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any, Dict, List  # noqa: UP035

import pytest
import torch
from tests import messages
from tests.refusals import refusal
from torch import Tensor, nn
from torch.nn import functional as F

from segexport.checkpoint import read_checkpoint
from segexport.errors import CheckpointError, DamagedCheckpointError, NotACheckpointError
from segexport.networks.families.unet import UNet
from segexport.networks.inspection import find_network, inspect

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning", "ignore::torch.jit.TracerWarning"
)


class Own(nn.Module):
    """A layout that no known network has: shared layers, a list, buffers of both kinds, attributes that are no weights."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish())
        self.middle = nn.ModuleList([nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=2) for _ in range(2)])
        self.head = nn.Conv2d(8, 2, 1)
        self.register_buffer("gain", torch.full((1, 8, 1, 1), 1.5))
        self.scale: float = 0.5
        self.label = "person"
        self.widths = [8, 8]
        self.offset = torch.ones(1)  # neither a parameter nor a buffer
        self.again = self.head

    def forward(self, x: Tensor) -> Tensor:
        y = self.stem(x)
        for layer in self.middle:
            y = y + F.relu(layer(y)) * self.scale
        y = self.again(y * self.gain + self.offset)
        return F.interpolate(y, size=[32, 32], mode="bilinear", align_corners=False)


class ScriptableUNet(UNet):
    """The keys of a U-Net, and a forward pass that TorchScript can compile."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class Mixed(nn.Module):
    """Dicts and lists of plain values as attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.names = torch.jit.Attribute({"person": 1}, Dict[str, int])  # noqa: UP006 - TorchScript knows no dict[…]
        self.steps = torch.jit.Attribute([0.5, 1.0], List[float])  # noqa: UP006
        self.conv = nn.Conv2d(3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) * self.steps[0] + self.names["person"]


def own(seed: int = 0) -> Own:
    torch.manual_seed(seed)
    return Own().eval()


def unet() -> UNet:
    torch.manual_seed(1)
    return UNet([4, 8]).eval()


def scriptable_unet() -> UNet:
    torch.manual_seed(1)
    return ScriptableUNet([4, 8]).eval()


def script(module: nn.Module, path: Path) -> Path:
    torch.jit.script(module).save(str(path))
    return path


def trace(module: nn.Module, path: Path) -> Path:
    torch.jit.trace(module, torch.zeros(1, 3, 32, 32)).save(str(path))
    return path


def mobile(module: nn.Module, path: Path) -> Path:
    torch.jit.script(module)._save_for_lite_interpreter(str(path))
    return path


def exported(module: nn.Module, path: Path) -> Path:
    torch.export.save(torch.export.export(module, (torch.zeros(1, 3, 32, 32),)), path)
    return path


WRITERS = {"script": script, "trace": trace, "mobile": mobile}


def assert_same(got: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert list(got) == list(expected)
    assert all(torch.equal(got[key], expected[key]) for key in expected)


def entries_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("writer", WRITERS)
def test_a_torchscript_archive_gives_the_state_dict_of_its_module(tmp_path: Path, writer: str) -> None:
    path = WRITERS[writer](own(), tmp_path / "net.pt")
    checkpoint = read_checkpoint(path)
    assert (checkpoint.container, checkpoint.kind) == ("torchscript", "module")
    assert_same(checkpoint.state_dict, own().state_dict())
    assert checkpoint.state_dict["head.weight"] is checkpoint.state_dict["again.weight"]
    assert checkpoint.classes[""].endswith("test_archives.Own")
    assert checkpoint.classes["stem.0"] == "torch.nn.modules.conv.Conv2d"
    assert not any("mangle" in name for name in checkpoint.classes.values())


def test_settings_that_a_script_declares_are_read(tmp_path: Path) -> None:
    settings = read_checkpoint(script(own(), tmp_path / "net.pt")).settings
    assert settings["stem.0"]["stride"] == (2, 2)
    assert settings["middle.0"]["dilation"] == (2, 2)
    assert settings["middle.0"]["groups"] == 2
    assert settings["stem.1"]["eps"] == 1e-5
    assert settings[""]["scale"] == 0.5


def test_a_changed_epsilon_in_a_script_is_seen(tmp_path: Path) -> None:
    network = scriptable_unet()
    next(module for module in network.modules() if isinstance(module, nn.BatchNorm2d)).eps = 0.25
    found = inspect(script(network, tmp_path / "net.pt"))
    assert any("eps is 0.25 in the saved module" in note for note in found["notes"])


@pytest.mark.parametrize("writer", WRITERS)
def test_a_known_network_is_recognised_in_a_torchscript_archive(tmp_path: Path, writer: str) -> None:
    checkpoint = read_checkpoint(
        WRITERS[writer](unet() if writer == "trace" else scriptable_unet(), tmp_path / "net.pt")
    )
    network = find_network(checkpoint)
    image = torch.rand(1, 3, 32, 32)
    assert network.name == "unet"
    torch.testing.assert_close(network.module(image), unet()(image))


def test_typed_lists_and_dicts_of_a_script_are_no_weights(tmp_path: Path) -> None:
    torch.manual_seed(2)
    module = Mixed().eval()
    assert_same(read_checkpoint(script(module, tmp_path / "net.pt")).state_dict, module.state_dict())


def test_a_wrapped_script_loses_its_prefix(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(trace(nn.DataParallel(unet()), tmp_path / "net.pt"))
    assert checkpoint.prefix == "module."
    assert_same(checkpoint.state_dict, unet().state_dict())


def test_a_script_in_training_mode_is_noted(tmp_path: Path) -> None:
    notes = read_checkpoint(script(scriptable_unet().train(), tmp_path / "net.pt")).notes
    assert messages.IN_TRAINING_MODE in notes


def test_half_precision_in_a_script_becomes_float32(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(script(scriptable_unet().half(), tmp_path / "net.pt"))
    assert_same(
        checkpoint.state_dict,
        {k: v.float() if v.is_floating_point() else v for k, v in unet().half().state_dict().items()},
    )


def test_a_frozen_script_is_refused_with_the_way_out(tmp_path: Path) -> None:
    torch.jit.freeze(torch.jit.script(own())).save(str(tmp_path / "net.pt"))
    with pytest.raises(
        CheckpointError, match=r"frozen TorchScript archive.*no names any more.*before torch\.jit\.freeze"
    ):
        read_checkpoint(tmp_path / "net.pt")


def test_a_script_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="TorchScript archive without parameters"):
        read_checkpoint(script(nn.Sequential(nn.ReLU()), tmp_path / "net.pt"))


def test_a_quantised_script_is_refused(tmp_path: Path) -> None:
    path = script(nn.Sequential(torch.ao.nn.quantized.Conv2d(3, 4, 1)), tmp_path / "net.pt")
    with pytest.raises(CheckpointError, match=r"0 is torch.ao.nn.quantized.modules.conv.Conv2d, which holds quantised"):
        read_checkpoint(path)


def test_an_archive_from_before_data_pkl_is_called_by_its_age(tmp_path: Path) -> None:
    packed(tmp_path / "net.pt", {"net/model.json": b"{}", "net/code/net.py": b"", "net/tensors/0": b""})
    with pytest.raises(NotACheckpointError, match=r"before 1\.4"):
        read_checkpoint(tmp_path / "net.pt")


def test_a_mobile_flatbuffer_is_called_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "net.ptl").write_bytes(b"\x18\0\0\0PTMF" + bytes(40))
    with pytest.raises(NotACheckpointError, match="a mobile model in a flatbuffer"):
        read_checkpoint(tmp_path / "net.ptl")


# .pt2


def by_name(values: dict[str, Tensor]) -> dict[str, Tensor]:
    return dict(sorted(values.items()))


def test_a_pt2_gives_the_weights_under_their_names(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(exported(own(), tmp_path / "net.pt2"))
    assert (checkpoint.container, checkpoint.kind) == ("pt2", "exported program")
    assert_same(by_name(checkpoint.state_dict), by_name(own().state_dict()))
    assert checkpoint.state_dict["head.weight"] is checkpoint.state_dict["again.weight"]
    assert checkpoint.classes[""].endswith("Own")
    assert checkpoint.graph is not None


def test_a_known_network_is_recognised_in_a_pt2(tmp_path: Path) -> None:
    network = find_network(read_checkpoint(exported(unet(), tmp_path / "net.pt2")))
    image = torch.rand(1, 3, 48, 80)
    assert network.name == "unet"
    torch.testing.assert_close(network.module(image), unet()(image))


def test_strides_and_half_precision_in_a_pt2_are_read(tmp_path: Path) -> None:
    module = unet().to(memory_format=torch.channels_last).half()
    program = torch.export.export(module, (torch.zeros(1, 3, 32, 32, dtype=torch.float16),))
    torch.export.save(program, tmp_path / "net.pt2")
    checkpoint = read_checkpoint(tmp_path / "net.pt2")
    expected = {k: v.float() if v.is_floating_point() else v for k, v in module.state_dict().items()}
    assert_same(by_name(checkpoint.state_dict), by_name(expected))
    assert all(tensor.is_contiguous() for tensor in checkpoint.state_dict.values())


def as_pytorch_2_7(path: Path, module: nn.Module) -> Path:
    """The layout of torch 2.2 to 2.7, as torch.export.save there wrote it."""
    entries = {re.sub(r"^[^/]*/", "", name): data for name, data in entries_of(exported(module, path)).items()}
    return packed(
        path,
        {
            "version": b"8.8",
            "serialized_exported_program.json": entries["models/model.json"],
            "serialized_state_dict.pt": saved(dict(module.state_dict(keep_vars=True))),
            "serialized_constants.pt": saved({"offset": torch.ones(1)}),
            "serialized_example_inputs.pt": b"never read",
        },
    )


def as_pytorch_2_8(path: Path, module: nn.Module) -> Path:
    entries = entries_of(exported(module, path))
    kept = {name: data for name, data in entries.items() if "/weights/" not in name and "/constants/" not in name}
    kept["net/data/weights/model.pt"] = saved(dict(module.state_dict(keep_vars=True)))
    kept["net/data/constants/model.pt"] = saved({"offset": torch.ones(1)})
    return packed(path, kept)


def saved(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("writer", [as_pytorch_2_7, as_pytorch_2_8])
def test_the_older_layouts_of_a_pt2_are_read(tmp_path: Path, writer: Any) -> None:
    checkpoint = read_checkpoint(writer(tmp_path / "net.pt2", own()))
    assert checkpoint.container == "pt2"
    assert_same(checkpoint.state_dict, own().state_dict())
    assert checkpoint.graph is not None
    assert_same(dict(checkpoint.graph.constants), {"offset": torch.ones(1)})


def test_compiled_code_is_refused(tmp_path: Path) -> None:
    packed(tmp_path / "net.pt2", {"net/archive_format": b"pt2", "net/data/aotinductor/model/a.so": b"\x7fELF"})
    with pytest.raises(NotACheckpointError, match="compiled machine code of AOTInductor"):
        read_checkpoint(tmp_path / "net.pt2")


def changed(path: Path, key: str, **changes: Any) -> Path:
    """The archive with other facts about one weight."""
    entries = entries_of(path)
    name = "net/data/weights/model_weights_config.json"
    listed = json.loads(entries[name])
    entry = listed["config"][key]
    entry["tensor_meta"].update({k: v for k, v in changes.items() if k != "path_name" and k != "use_pickle"})
    entry.update({k: v for k, v in changes.items() if k in ("path_name", "use_pickle")})
    return packed(path, {**entries, name: json.dumps(listed).encode()})


def ints(*values: int) -> list[dict[str, int]]:
    return [{"as_int": value} for value in values]


LIES: dict[str, tuple[dict[str, Any], str]] = {
    "longer": ({"sizes": ints(4000, 2, 1, 1)}, "reaches value"),
    "further": ({"storage_offset": {"as_int": 8}}, "reaches value"),
    "before": ({"storage_offset": {"as_int": -1}}, "negative"),
    "backwards": ({"strides": ints(-8, 1, 1, 1)}, "negative"),
    "huge": ({"sizes": ints(2**40, 2**40, 1, 1), "strides": ints(0, 0, 0, 0)}, "far too large"),
    "repeated": ({"sizes": ints(2**20, 8, 1, 1), "strides": ints(0, 0, 0, 0)}, "repeats the"),
    "one stride": ({"strides": ints(1)}, "of another length"),
    "text": ({"sizes": [{"as_int": "2"}]}, "makes no sense"),
    "truth": ({"sizes": [{"as_int": True}]}, "makes no sense"),
    "symbols": ({"sizes": [{"as_expr": {"expr_str": "__import__('os').system('x')"}}]}, "makes no sense"),
    "no type": ({"dtype": 99}, "makes no sense"),
    "wide type": ({"dtype": 8}, "reaches value"),
    "missing file": ({"path_name": "weight_99"}, "is missing"),
    "outside": ({"path_name": "../../../etc/passwd"}, "is missing"),
    "sparse": ({"layout": 1}, "a sparse tensor"),
    "pickled": ({"use_pickle": True}, "a tensor subclass that was pickled"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_list_of_weights_that_lies_is_refused(tmp_path: Path, lie: str) -> None:
    changes, message = LIES[lie]
    path = changed(exported(own(), tmp_path / "net.pt2"), "head.weight", **changes)
    refusal(CheckpointError, read_checkpoint, path, match=re.escape(message))


@pytest.mark.parametrize("entry", ["models/model.json", "data/weights/model_weights_config.json"])
@pytest.mark.parametrize("text", [b"", b"[", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}', b'{"config": 5}'])
def test_json_that_is_none_is_refused(tmp_path: Path, entry: str, text: bytes) -> None:
    path = exported(own(), tmp_path / "net.pt2")
    packed(path, {**entries_of(path), f"net/{entry}": text})
    if entry == "models/model.json" and text == b'{"config": 5}':
        assert read_checkpoint(path).graph is not None  # an object, whose content is judged when it is needed
        return
    refusal(DamagedCheckpointError, read_checkpoint, path, most=699)
