"""What an attack or a bad copy may do to an export's folder, to its pictures and to its names."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from tests import messages

from segexport.compare.reference import Reference, load_reference
from segexport.console import Console
from segexport.errors import CalibrationError, OutputError, SegExportError
from segexport.networks.families.unet import UNet
from segexport.options import Options
from segexport.output import Staging
from segexport.pictures.calibration import collect_pictures
from segexport.pipeline import export
from segruntime.errors import SegRuntimeError

REFUSED = rf"the {messages.NO_REFERENCE} \(.*export the checkpoint again"


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.target),)


def arrays(count: int = 2) -> dict[str, npt.NDArray[Any]]:
    return {
        "frames": np.zeros((count, 4, 6, 3), np.uint8),
        "masks": np.full((count, 4, 6), 0.5, np.float32),
        "names": np.array([f"{k}.png" for k in range(count)]),
        "largest_logit": np.float64(3.0),
    }


def saved(path: Path, **changes: Any) -> Path:
    np.savez_compressed(path, **{**arrays(), **changes})
    return path


def npy(header: dict[str, Any], body: bytes = b"") -> bytes:
    text = (repr(header) + "\n").encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def with_member(path: Path, name: str, data: bytes) -> Path:
    with zipfile.ZipFile(saved(path)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, body in {**members, name: data}.items():
            archive.writestr(member, body)
    return path


def test_a_whole_reference_is_read(tmp_path: Path) -> None:
    found = load_reference(saved(tmp_path / "reference.npz"))
    assert (found.frames.shape, found.masks.shape, found.names) == ((2, 4, 6, 3), (2, 4, 6), ("0.png", "1.png"))


def test_a_reference_of_only_twelve_pictures_is_kept(tmp_path: Path) -> None:
    whole = arrays(20)
    reference = Reference(frames=whole["frames"], masks=whole["masks"], names=tuple(whole["names"]), largest_logit=1.0)
    reference.kept().save(tmp_path / "reference.npz")
    assert len(load_reference(tmp_path / "reference.npz").masks) == 12


@pytest.mark.parametrize(
    "changes",
    [
        {"frames": np.zeros((3, 4, 6, 3), np.uint8)},
        {"frames": np.zeros((2, 4, 6), np.uint8)},
        {"frames": np.zeros((2, 4, 6, 4), np.uint8)},
        {"masks": np.zeros((2, 4), np.float32)},
        {"masks": np.array("text")},
        {"masks": np.full((2, 4, 6), np.nan, np.float32)},
        {"names": np.array(["one"])},
        {"names": np.array("one")},
        {"names": np.array([])},
        {"largest_logit": np.array([1.0, 2.0])},
        {"largest_logit": np.array("much")},
        {"frames": np.zeros((0, 4, 6, 3), np.uint8), "masks": np.zeros((0, 4, 6), np.float32), "names": np.array([])},
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(OutputError, match=REFUSED):
        load_reference(saved(tmp_path / "reference.npz", **changes))


@pytest.mark.parametrize("missing", ["frames", "masks", "names", "largest_logit"])
def test_a_missing_array_is_refused(tmp_path: Path, missing: str) -> None:
    np.savez_compressed(tmp_path / "reference.npz", **{k: v for k, v in arrays().items() if k != missing})
    with pytest.raises(OutputError, match=REFUSED):
        load_reference(tmp_path / "reference.npz")


def test_a_pickle_in_the_reference_is_never_run(tmp_path: Path) -> None:
    made = tmp_path / "made"
    evil = np.empty(1, object)
    evil[0] = Payload(made)
    with pytest.raises(OutputError, match=REFUSED):
        load_reference(saved(tmp_path / "reference.npz", names=evil))
    assert not made.exists()


def test_an_array_that_declares_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**6, 10**6)}
    with pytest.raises(OutputError, match=REFUSED):
        load_reference(with_member(tmp_path / "reference.npz", "masks.npy", npy(header, bytes(64))))


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = saved(tmp_path / "reference.npz")
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")  # the first entry of the list at the end: 3 GB, it says
    data[entry + 24 : entry + 28] = struct.pack("<I", 3 * 2**30)
    path.write_bytes(bytes(data))
    with pytest.raises(OutputError, match=r"unpacks to 32212\d+ bytes, at most 2147483648 expected"):
        load_reference(path)


def test_no_flipped_byte_ends_in_a_traceback(tmp_path: Path) -> None:
    data = saved(tmp_path / "reference.npz").read_bytes()
    for at in range(0, len(data), 3):
        broken = bytearray(data)
        broken[at] ^= 0xFF
        (tmp_path / "reference.npz").write_bytes(bytes(broken))
        try:
            load_reference(tmp_path / "reference.npz")
        except SegExportError as error:
            assert "reference.npz" in str(error)  # noqa: PT017 either outcome is fine, any other exception is not


def test_no_cut_reference_ends_in_a_traceback(tmp_path: Path) -> None:
    data = saved(tmp_path / "reference.npz").read_bytes()
    for length in range(0, len(data), 7):
        (tmp_path / "reference.npz").write_bytes(data[:length])
        with pytest.raises(OutputError, match=messages.NO_REFERENCE):
            load_reference(tmp_path / "reference.npz")


def test_a_folder_instead_of_the_reference_is_refused(tmp_path: Path) -> None:
    (tmp_path / "reference.npz").mkdir()
    with pytest.raises(OutputError, match=messages.NO_REFERENCE):
        load_reference(tmp_path / "reference.npz")


def test_a_link_named_like_leftovers_does_not_lead_the_clean_up_elsewhere(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    output = tmp_path / "out"
    output.mkdir()
    (output / f".segexport-{process.pid}-x").symlink_to(precious, target_is_directory=True)
    with Staging(output, ["a"], overwrite=False):
        pass
    assert (precious / "thesis.txt").read_text() == "years of work"


def test_a_calibration_folder_of_bombs_is_refused_in_little_memory(tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress(bytes(10**6), 9)
    for side in (30_000, 60_000):
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
        (tmp_path / f"{side}.png").write_bytes(data)
    with pytest.raises(CalibrationError, match=r"none of its 2 pictures.*30000\.png \(declares 30000x30000 pixels"):
        collect_pictures(tmp_path)


def test_a_pipe_named_like_a_picture_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "camera.png")
    with pytest.raises(CalibrationError, match=messages.NO_PICTURE_IN_IT):
        collect_pictures(tmp_path)


def test_a_link_that_leads_in_a_circle_is_no_endless_walk(tmp_path: Path) -> None:
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self.png").symlink_to(tmp_path / "self.png")
    with pytest.raises(CalibrationError, match=messages.NO_PICTURE_IN_IT):
        collect_pictures(tmp_path)


@pytest.mark.parametrize("name", ["a" * 240 + ".pth", "new\nline.pth", os.fsdecode(b"not-utf8-\xff.pth"), "-x.pth"])
def test_a_checkpoint_of_any_name_is_exported_or_refused_and_leaves_nothing_half(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    torch.save(UNet([4, 8]).state_dict(), tmp_path / "tiny.pth")
    (tmp_path / "tiny.pth").rename(tmp_path / name)
    chosen = Options(checkpoint=tmp_path / name, output=tmp_path / "out", precisions=(), size=(8, 8))
    try:
        export(chosen, Console(quiet=True))
    except (SegExportError, SegRuntimeError) as error:
        assert len(str(error)) > 20  # noqa: PT017 either outcome is fine, any other exception is not
        assert not (tmp_path / "out").exists()
        return
    assert not list((tmp_path / "out").glob(".segexport-*"))
    assert len(list((tmp_path / "out").iterdir())) == 4
