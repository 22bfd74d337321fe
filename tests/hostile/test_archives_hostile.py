"""TorchScript and .pt2 archives that were made to do harm: refused in one line, quickly, and nothing of them is run."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.refusals import refusal
from torch import nn

from segexport.checkpoint import read_checkpoint
from segexport.checkpoint.formats.script_classes import declarations
from segexport.errors import CheckpointError, DamagedCheckpointError, UnsafePickleError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def script_object(name: str, state: bytes) -> bytes:
    return f"c__torch__\n{name}\n".encode() + b")\x81}(" + state + b"ub"


def script(path: Path, data: bytes, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", data)
        archive.writestr("net/constants.pkl", b"\x80\x02).")
        for name, values in entries.items():
            archive.writestr(f"net/{name.replace('__', '/')}", values)
    return path


def refused(path: Path, error: type[Exception] = CheckpointError, match: str | None = None) -> str:
    return refusal(error, read_checkpoint, path, match=match, most=699)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("archives")
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2)).eval()
    torch.jit.script(network).save(str(folder / "net.pt"))
    torch.export.save(torch.export.export(network, (torch.zeros(1, 3, 8, 8),)), folder / "net.pt2")
    return {"torchscript": folder / "net.pt", "pt2": folder / "net.pt2"}


def test_a_module_that_contains_itself_is_refused(tmp_path: Path) -> None:
    data = b"\x80\x02c__torch__\nNet\n)\x81q\x00}(" + text("again") + b"h\x00ub."
    refused(script(tmp_path / "net.pt", data), DamagedCheckpointError, "contain themselves")


def test_modules_that_double_at_each_level_are_refused(tmp_path: Path) -> None:
    data = b"\x80\x02" + script_object("Net", b"") + b"q\x000"
    for level in range(1, 41):
        below = b"h" + bytes([level - 1])
        data += script_object("Net", text("a") + below + text("b") + below) + b"q" + bytes([level]) + b"0"
    refused(script(tmp_path / "net.pt", data + b"h\x28."), DamagedCheckpointError, "more than 20,000")


@pytest.mark.parametrize(
    "call",
    [
        b"cos\nsystem\n" + text("true") + b"\x85R",
        b"ctorch.jit._pickle\nbuild_tensor_from_id\nK\x00\x85R",
        b"ctorch.jit\nload\n" + text("x") + b"\x85R",
        b"c__torch__\nbuild\n" + text("x") + b"\x85R",
        b"cbuiltins\neval\n" + text("1") + b"\x85R",
    ],
)
def test_nothing_in_a_script_is_called(tmp_path: Path, call: bytes) -> None:
    refused(script(tmp_path / "net.pt", b"\x80\x02" + script_object("Net", text("a") + call) + b"."), UnsafePickleError)


@pytest.mark.parametrize("data", [b"N.", b"K\x01.", b"].", b"}.", b"cpkg\nNet\n)\x81}b."])
def test_a_data_pkl_without_a_script_is_refused(tmp_path: Path, data: bytes) -> None:
    refused(script(tmp_path / "net.pt", b"\x80\x02" + data), DamagedCheckpointError, "holds no TorchScript module")


def test_a_typed_list_of_something_else_is_refused(tmp_path: Path) -> None:
    call = b"ctorch.jit._pickle\nbuild_intlist\n" + text("x") + b"\x85R"
    refused(
        script(tmp_path / "net.pt", b"\x80\x02" + script_object("Net", text("a") + call) + b"."), DamagedCheckpointError
    )


def test_class_texts_are_only_searched_for_known_lines() -> None:
    found = declarations(
        "class Net(Module):\n"
        '  __parameters__ = ["weight", "a\\"b", ]\n'
        '  __buffers__ = ["mean", ]\n'
        "  eps : Final[float] = 1.0000000000000001e-05\n"
        "  stride : Final[Tuple[int, int]] = (2, 2)\n"
        "  flag : Final[bool] = True\n"
        "  evil : Final[int] = __import__('os').system('true')\n"
        "  long : Final[int] = " + "9" * 100_000 + "\n"
        "  def forward(self):\n    import os\n" + "x" * 1_000_000
    )
    assert list(found) == ["Net"]
    assert found["Net"].parameters[0] == "weight"
    assert found["Net"].buffers == ("mean",)
    assert found["Net"].settings == {"eps": 1e-5, "stride": (2, 2), "flag": True}


def test_a_class_text_that_is_a_bomb_is_refused_and_a_large_one_skipped(tmp_path: Path, files: dict[str, Path]) -> None:
    with zipfile.ZipFile(files["torchscript"]) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    for method, size in ((zipfile.ZIP_DEFLATED, 20 * 2**20), (zipfile.ZIP_STORED, 5 * 2**20)):
        with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
            for name, data in entries.items():
                is_text = "/conv" in name and name.endswith(".py")  # torch may mangle it: conv/___torch_mangle_3.py
                archive.writestr(name, b"#" * size if is_text else data, method if is_text else None)
        if method == zipfile.ZIP_DEFLATED:
            refused(tmp_path / "net.pt", DamagedCheckpointError, "a zip bomb")
        else:
            assert "0.weight" in read_checkpoint(tmp_path / "net.pt").state_dict


@pytest.mark.parametrize("kind", ["torchscript", "pt2"])
def test_an_archive_cut_off_anywhere_is_refused(tmp_path: Path, files: dict[str, Path], kind: str) -> None:
    data = files[kind].read_bytes()
    for length in range(10, len(data) - 1, len(data) // 23):
        (tmp_path / "cut.pt").write_bytes(data[:length])
        refused(tmp_path / "cut.pt")


@pytest.mark.parametrize("kind", ["torchscript", "pt2"])
def test_no_changed_byte_ends_in_anything_but_an_error_of_ours(
    tmp_path: Path, files: dict[str, Path], kind: str
) -> None:
    data = files[kind].read_bytes()
    generator = torch.Generator().manual_seed(3)
    places = torch.randint(len(data), (400,), generator=generator).tolist()
    for at, new in zip(places, torch.randint(256, (400,), generator=generator).tolist(), strict=True):
        (tmp_path / "bent.pt").write_bytes(data[:at] + bytes([new]) + data[at + 1 :])
        try:
            read_checkpoint(tmp_path / "bent.pt")
        except CheckpointError as error:
            assert "\n" not in str(error)  # noqa: PT017 - most changes are refused, a few change a value only


@pytest.mark.parametrize("kind", ["torchscript", "pt2"])
@pytest.mark.parametrize("changed", ["data.pkl", "data/0", "model.json", "weights_config.json", "weight_0"])
def test_an_entry_that_is_missing_or_empty_is_refused(
    tmp_path: Path, files: dict[str, Path], kind: str, changed: str
) -> None:
    with zipfile.ZipFile(files[kind]) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    hit = [name for name in entries if name.endswith(changed)]
    for data in (None, b"") if hit else ():
        with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
            for name, old in entries.items():
                if name not in hit or data is not None:
                    archive.writestr(name, data if name in hit and data is not None else old)
        refused(tmp_path / "net.pt")


def old_pt2(path: Path, weights: bytes, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("serialized_exported_program.json", json.dumps({}))
        archive.writestr("serialized_state_dict.pt", weights)
        archive.writestr("version", b"8.8")
    return path


def inner(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_pickles_inside_an_old_pt2_are_never_run(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    payload = b"\x80\x02cos\nsystem\n" + text(f"touch {marker}") + b"\x85R."
    refused(old_pt2(tmp_path / "net.pt2", inner({"a/data.pkl": payload})), UnsafePickleError, "os.system")
    assert not marker.exists()


def test_an_archive_in_an_archive_that_is_none_or_a_bomb_is_refused(tmp_path: Path) -> None:
    junk: list[tuple[bytes, Any]] = [
        (b"", zipfile.ZIP_STORED),
        (b"PK\x03\x04", zipfile.ZIP_STORED),
        (b"\0" * 30 * 2**20, zipfile.ZIP_DEFLATED),
        (inner({"a/readme": b""}), zipfile.ZIP_STORED),
    ]
    for data, method in junk:
        refused(old_pt2(tmp_path / "net.pt2", data, method))
    held = io.BytesIO()
    torch.save({"w": torch.ones(1)}, held)
    assert list(read_checkpoint(old_pt2(tmp_path / "net.pt2", held.getvalue())).state_dict) == ["w"]
