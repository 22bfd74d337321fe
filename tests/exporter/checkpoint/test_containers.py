"""The same weights come out of every container, precision, device and memory layout."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import re
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from tests.places import SHARED
from tests.refusals import refusal
from torch import Tensor

from segexport.checkpoint import read_checkpoint
from segexport.errors import CheckpointError, DamagedCheckpointError, MissingExtraError, NotACheckpointError
from segruntime.errors import install_command

KEYS = SHARED / "seed-checkpoints"
needs_keys = pytest.mark.skipif(not KEYS.is_dir(), reason="the lists of keys lie next to the checkout, not in it")


def weights() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(7)
    return OrderedDict(
        {
            "conv.weight": torch.randn(4, 3, 3, 3, generator=generator),
            "bn.running_var": torch.rand(4, generator=generator),
            "bn.num_batches_tracked": torch.tensor(12),
            "head.bias": torch.randn(1, generator=generator),
        }
    )


def save(value: object, path: Path, *, legacy: bool = False) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return path


def assert_same(got: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert list(got) == list(expected)
    for key, tensor in expected.items():
        assert got[key].is_contiguous()
        assert not got[key].requires_grad
        torch.testing.assert_close(got[key], tensor, rtol=0, atol=0)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_state_dict_comes_back_exactly(tmp_path: Path, legacy: bool) -> None:
    path = save(weights(), tmp_path / "net.pth", legacy=legacy)
    checkpoint = read_checkpoint(path)
    assert_same(checkpoint.state_dict, weights())
    assert checkpoint.container == ("legacy" if legacy else "zip")
    assert (checkpoint.kind, checkpoint.entry, checkpoint.prefix) == ("state dict", None, "")
    assert checkpoint.dtypes == {"float32": 3, "int64": 1}
    assert checkpoint.devices == ("cpu",)
    assert checkpoint.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert checkpoint.classes == checkpoint.settings == {}
    assert checkpoint.notes == ()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("legacy", [False, True])
def test_every_binary_pickle_protocol_is_read(tmp_path: Path, protocol: int, legacy: bool) -> None:
    path = tmp_path / "net.pth"
    torch.save(weights(), path, pickle_protocol=protocol, _use_new_zipfile_serialization=not legacy)
    assert_same(read_checkpoint(str(path)).state_dict, weights())


def test_safetensors_are_read(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.torch")
    library.save_file(weights(), tmp_path / "net.safetensors", metadata={"format": "pt"})
    checkpoint = read_checkpoint(tmp_path / "net.safetensors")
    assert checkpoint.container == "safetensors"
    assert_same(dict(sorted(checkpoint.state_dict.items())), dict(sorted(weights().items())))


def test_tensors_that_safetensors_stored_once_are_listed_under_each_key(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.torch")
    module = torch.nn.Sequential(torch.nn.Linear(2, 2))
    module.append(module[0])
    library.save_model(module, str(tmp_path / "net.safetensors"))
    checkpoint = read_checkpoint(tmp_path / "net.safetensors")
    assert set(checkpoint.state_dict) == set(module.state_dict())
    assert checkpoint.state_dict["0.weight"] is checkpoint.state_dict["1.weight"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("legacy", [False, True])
def test_other_precisions_become_float32_and_are_noted(tmp_path: Path, dtype: torch.dtype, legacy: bool) -> None:
    values = {"a": torch.arange(6.0).reshape(2, 3).to(dtype), "n": torch.tensor(3)}
    checkpoint = read_checkpoint(save(values, tmp_path / "net.pth", legacy=legacy))
    assert_same(checkpoint.state_dict, {"a": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(3)})
    name = str(dtype).removeprefix("torch.")
    assert checkpoint.dtypes == {name: 1, "int64": 1}
    assert checkpoint.notes == (f"1 tensors are {name}; they were turned into float32.",)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.complex64])
def test_values_that_are_no_floats_keep_their_type(tmp_path: Path, dtype: torch.dtype) -> None:
    values = {"a": torch.tensor([0, 1, 1]).to(dtype), "w": torch.ones(1)}
    assert_same(read_checkpoint(save(values, tmp_path / "net.pth")).state_dict, values)


def test_a_type_newer_than_the_storage_classes_is_read(tmp_path: Path) -> None:
    values = {"a": torch.tensor([1.0, 2.0]).to(torch.float8_e4m3fn), "u": torch.tensor([1, 65535], dtype=torch.uint16)}
    checkpoint = read_checkpoint(save(values, tmp_path / "net.pth"))
    assert checkpoint.state_dict["a"].tolist() == [1.0, 2.0]
    assert checkpoint.state_dict["u"].tolist() == [1, 65535]


@pytest.mark.parametrize("legacy", [False, True])
def test_tensors_on_a_gpu_are_read_on_the_cpu(tmp_path: Path, legacy: bool) -> None:
    path = save(weights(), tmp_path / "net.pth", legacy=legacy)
    tag, moved = b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"
    if legacy:
        path.write_bytes(path.read_bytes().replace(tag, moved))
    else:
        rewrite(path, {"net/data.pkl": lambda data: data.replace(tag, moved)})
    checkpoint = read_checkpoint(path)
    assert checkpoint.devices == ("cuda:0",)
    assert_same(checkpoint.state_dict, weights())


def rewrite(path: Path, changes: dict[str, object], *, compression: int = zipfile.ZIP_STORED) -> None:
    """Write the archive again, with functions over the bytes of some entries; None leaves one out."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            change = changes.get(name, bytes)
            if change is not None:
                archive.writestr(name, change(data))  # type: ignore[operator]


def test_an_archive_that_was_packed_again_is_read(tmp_path: Path) -> None:
    path = save(weights(), tmp_path / "net.pth")
    rewrite(path, {}, compression=zipfile.ZIP_DEFLATED)
    assert_same(read_checkpoint(path).state_dict, weights())


@pytest.mark.parametrize("legacy", [False, True])
def test_views_strides_and_empty_tensors_come_back_contiguous(tmp_path: Path, legacy: bool) -> None:
    base = torch.arange(24.0).reshape(4, 6)
    values = {
        "transposed": base.t(),
        "row": base[2],
        "column": base[:, 3],
        "part": base[1:3, 2:5],
        "channels_last": torch.randn(1, 3, 2, 2).to(memory_format=torch.channels_last),
        "empty": torch.empty(0, 5),
        "scalar": torch.tensor(2.5),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "expanded": torch.ones(2, 1).expand(2, 3),
    }
    checkpoint = read_checkpoint(save(values, tmp_path / "net.pth", legacy=legacy))
    assert_same(checkpoint.state_dict, {key: tensor.detach() for key, tensor in values.items()})


def test_a_tensor_under_several_keys_stays_one_tensor(tmp_path: Path) -> None:
    shared = torch.randn(3)
    checkpoint = read_checkpoint(save({"a": shared, "b": shared, "c": torch.zeros(1)}, tmp_path / "net.pth"))
    assert checkpoint.state_dict["a"] is checkpoint.state_dict["b"]
    assert checkpoint.notes == ("1 tensors are shared and listed under 2 keys: a, b.",)


def test_values_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    values = {"a": torch.tensor([1.0, float("nan")]), "b": torch.tensor([float("inf")]), "c": torch.ones(1)}
    assert read_checkpoint(save(values, tmp_path / "net.pth")).notes == ("2 tensors hold NaN or Inf: a, b.",)


@needs_keys
@pytest.mark.parametrize("name", ["unet", "deeplabv3_torchvision", "deeplabv3_custom", "segnet", "segresnet"])
def test_the_keys_of_every_known_layout_come_back_in_order(tmp_path: Path, name: str) -> None:
    shapes = json.loads((KEYS / f"{name}.keys.json").read_text())
    values = {
        key: torch.full([min(extent, 3) for extent in shape], float(i)) for i, (key, shape) in enumerate(shapes.items())
    }
    assert_same(read_checkpoint(save(values, tmp_path / "net.pth")).state_dict, values)


@needs_keys
def test_a_full_size_network_with_shared_layers_keeps_them_shared(tmp_path: Path) -> None:
    shapes = json.loads((KEYS / "deeplabv3_custom.keys.json").read_text())
    values = {key: torch.zeros(shape) for key, shape in shapes.items()}
    values |= {
        key: values[key.replace("resnet_2_layers.0.", "resnet_4_layers.0.")] for key in values if "2_layers.0." in key
    }
    checkpoint = read_checkpoint(save(values, tmp_path / "net.pth", legacy=True))
    assert {key: tuple(tensor.shape) for key, tensor in checkpoint.state_dict.items()} == {
        key: tuple(shape) for key, shape in shapes.items()
    }
    assert (
        checkpoint.state_dict["resnet_2_layers.0.0.conv1.weight"]
        is checkpoint.state_dict["resnet_4_layers.0.0.conv1.weight"]
    )


def keras_like() -> bytes:
    return b"\x89HDF\r\n\x1a\n" + bytes(64)


def zip_of(**entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name.replace("__", "/"), data)
    return buffer.getvalue()


FOREIGN = {
    "git-lfs pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a.pth", "git lfs pull"),
    "text": (b"hello, these are not weights\n", "a.pth", "a text file"),
    "text pickle": (b"cos\nsystem\n(S'true'\ntR.", "a.pth", "a text file"),
    "web page": (b"<!DOCTYPE html><html>sign in</html>", "a.pth", "a web page"),
    "keras": (keras_like(), "a.h5", "HDF5"),
    "tflite": (b"\x1c\x00\x00\x00TFL3" + bytes(32), "a.tflite", "a TFLite model"),
    "onnx by name": (b"\x08\x07\x12\x07pytorch", "a.onnx", "an ONNX model"),
    "onnx by bytes": (b"\x08\x07\x12\x07pytorch", "a.pth", "an ONNX model"),
    "numpy": (b"\x93NUMPY\x01\x00", "a.pth", "a NumPy array"),
    "gzip": (b"\x1f\x8b\x08\x00", "a.pth", "a gzip archive"),
    "tar": (bytes(257) + b"ustar\x0000" + bytes(600), "a.pth", "a tar archive"),
    "noise": (b"\x00\xff\x01\xfe\x99\x98\x97\x96\x95", "a.pth", "unknown format (first bytes 00 ff 01"),
    "other zip": (zip_of(readme=b"x"), "a.pth", "without data.pkl (it holds readme)"),
    "plain pickle": (pickle.dumps({"a": 1}), "a.pkl", "a plain pickle"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_another_kind_of_file_is_called_by_its_name(tmp_path: Path, kind: str) -> None:
    data, name, message = FOREIGN[kind]
    (tmp_path / name).write_bytes(data)
    refusal(NotACheckpointError, read_checkpoint, tmp_path / name, match=re.escape(message))


def test_missing_folder_and_empty_file_say_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "empty.pth").touch()
    for path, message in {"none.pth": "no such file", "": "is a folder", "empty.pth": r"is empty \(0 bytes\)"}.items():
        with pytest.raises(CheckpointError, match=message):
            read_checkpoint(tmp_path / path)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, legacy: bool) -> None:
    data = save(weights(), tmp_path / "net.pth", legacy=legacy).read_bytes()
    cut = tmp_path / "cut.pth"
    for length in range(20, len(data) - 1, 61):
        cut.write_bytes(data[:length])
        refusal(CheckpointError, read_checkpoint, cut)
    cut.write_bytes(data[:-1] if legacy else data[: len(data) // 2])
    with pytest.raises(DamagedCheckpointError, match="cut off, storage" if legacy else "its end is missing"):
        read_checkpoint(cut)


@pytest.mark.parametrize("header", [b"", b"\xff" * 7 + b"\x7f", b"\x05\0\0\0\0\0\0\0{oops", b"\x40\0\0\0\0\0\0\0{}"])
def test_safetensors_with_a_broken_header_are_refused(tmp_path: Path, header: bytes) -> None:
    pytest.importorskip("safetensors")
    (tmp_path / "a.safetensors").write_bytes(header or b"\0")
    with pytest.raises(DamagedCheckpointError, match="broken safetensors header or data"):
        read_checkpoint(tmp_path / "a.safetensors")


def test_big_endian_is_refused(tmp_path: Path) -> None:
    path = save(weights(), tmp_path / "net.pth")
    rewrite(path, {"net/byteorder": lambda _: b"big"})
    with pytest.raises(DamagedCheckpointError, match="byte order 'big', expected 'little'"):
        read_checkpoint(path)
    old = save(weights(), tmp_path / "old.pth", legacy=True)
    data = old.read_bytes()
    at = data.index(b"little_endian")
    old.write_bytes(data[:at] + data[at:].replace(b"\x88", b"\x89", 1))
    with pytest.raises(DamagedCheckpointError, match="byte order 'big', expected 'little'"):
        read_checkpoint(old)


def test_quantised_and_sparse_weights_are_refused_by_name(tmp_path: Path) -> None:
    sparse = torch.eye(3).to_sparse()
    with pytest.raises(CheckpointError, match=r"w is a sparse tensor, expected plain floating values"):
        read_checkpoint(save({"w": sparse, "b": torch.ones(1)}, tmp_path / "net.pth"))


def test_without_the_library_the_message_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    (tmp_path / "a.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    with pytest.raises(
        MissingExtraError, match=rf"safetensors is not installed.*{re.escape(install_command('export'))}"
    ):
        read_checkpoint(tmp_path / "a.safetensors")
