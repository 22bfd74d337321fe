"""Checkpoints that were made to do harm: each is refused in one line, quickly, and nothing of it is run."""

from __future__ import annotations

import pickle
import re
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from tests.each_case import each_case
from tests.hostile.pickles import MAGIC, in_legacy, in_zip, name, refused, stack_name, storage, text

from segexport.checkpoint import read_checkpoint
from segexport.checkpoint.pickle.budget import StepBudget
from segexport.checkpoint.pickle.inert_pickle import InertUnpickler
from segexport.errors import CheckpointError, DamagedCheckpointError, UnsafePickleError


def numbers(values: list[int]) -> bytes:
    return b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", value) for value in values) + b"t"


def tensor(key: str, count: int, offset: int, size: list[int], stride: list[int]) -> bytes:
    start = b"\x8a\x08" + struct.pack("<q", offset)
    args = (
        storage(key, count)
        + start
        + numbers(size)
        + numbers(stride)
        + b"\x89"
        + name("collections", "OrderedDict")
        + b")R"
    )
    return name("torch._utils", "_rebuild_tensor_v2") + b"(" + args + b"tR"


def one_weight(value: bytes) -> bytes:
    return b"\x80\x02}" + text("w") + value + b"s."


def test_the_tensors_written_here_are_read_where_they_are_honest(tmp_path: Path) -> None:
    path = in_zip(
        tmp_path / "net.pth", one_weight(tensor("0", 4, 0, [2, 2], [2, 1])), s0=struct.pack("<4f", 1, 2, 3, 4)
    )
    assert read_checkpoint(path).state_dict["w"].tolist() == [[1, 2], [3, 4]]


LAYOUTS = {
    "beyond its storage": (4, 0, [5], [1], "reaches value 4 of a storage that has 4"),
    "offset beyond": (4, 4, [1], [1], "reaches value 4"),
    "stride beyond": (4, 0, [2, 2], [3, 1], "reaches value 4"),
    "negative size": (4, 0, [-1], [1], "negative"),
    "negative stride": (4, 3, [4], [-1], "negative"),
    "negative offset": (4, -1, [4], [1], "negative"),
    "ranks differ": (4, 0, [2, 2], [1], "another length"),
    "expanded without end": (4, 0, [2**20, 2**20], [0, 0], "repeats the 4 values"),
    "expanded a little too much": (4, 0, [17], [0], "repeats the 4 values"),
    "larger than any memory": (4, 0, [2**47], [0], "repeats the 4 values"),
    "product overflows": (4, 0, [2**40, 2**40], [0, 0], "far too large"),
    "empty but huge": (4, 0, [0, 2**40, 2**40], [1, 1, 1], "far too large"),
    "storage larger than its record": (5, 0, [4], [1], "storage 0 has 16 bytes, its tensor expects 20"),
    "storage of a terabyte": (2**38, 0, [2**38], [1], "storage 0 has 16 bytes"),
    "storage of negative size": (-1, 0, [1], [1], "makes no sense"),
}


@each_case("kind", list(LAYOUTS))
def test_a_tensor_that_does_not_fit_its_storage_is_refused(tmp_path: Path, kind: str) -> None:
    count, offset, size, stride, message = LAYOUTS[kind]
    path = in_zip(tmp_path / "net.pth", one_weight(tensor("0", count, offset, size, stride)), s0=bytes(16))
    refused(path, DamagedCheckpointError, message)


def test_a_storage_that_is_missing_is_refused(tmp_path: Path) -> None:
    for key in ("7", "../../etc/passwd"):
        path = in_zip(tmp_path / "net.pth", one_weight(tensor(key, 1, 0, [1], [1])), s0=bytes(16))
        refused(path, DamagedCheckpointError, f"storage {re.escape(key)} is missing")


def test_many_views_of_one_storage_cannot_fill_the_memory(tmp_path: Path) -> None:
    count = 400_000
    entries = b"".join(text(f"w{i}") + tensor("0", count, i, [count - i], [1]) for i in range(40))
    path = in_zip(tmp_path / "net.pth", b"\x80\x02}(" + entries + b"u.", s0=bytes(4 * count))
    refused(path, DamagedCheckpointError, "its tensors would take")


def test_other_types_in_place_of_sizes_and_storages_are_refused(tmp_path: Path) -> None:
    rebuild = name("torch._utils", "_rebuild_tensor_v2")
    for args in (
        b"(NK\x00))\x89Nt",
        b"(t",
        b"(" + storage("0", 4) + b"K\x00" + text("ab") + b")\x89Nt",
        b"N",
        b"(" + storage("0", 4) + b"G?\xf0\0\0\0\0\0\0))\x89Nt",
    ):
        refused(in_zip(tmp_path / "net.pth", one_weight(rebuild + args + b"R"), s0=bytes(16)), DamagedCheckpointError)


def test_storage_ids_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    for value in (
        b"NQ",
        b")Q",
        b"(" + text("file") + text("/etc/passwd") + b"tQ",
        storage("0", b"N"),
        storage("0", 4, "system"),
        b"P0\n",
    ):
        refused(in_zip(tmp_path / "net.pth", one_weight(value)), CheckpointError)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/data.pkl", one_weight(tensor("0", 2**22, 0, [2**22], [1])))
        archive.writestr("net/data/0", bytes(2**24))
    refused(path, DamagedCheckpointError, "a zip bomb, 'net/data/0' declares 16,777,216 bytes")


def test_a_size_that_only_the_directory_claims_is_refused(tmp_path: Path) -> None:
    path = in_zip(tmp_path / "net.pth", one_weight(tensor("0", 2**28, 0, [2**28], [1])), s0=bytes(16))
    data = path.read_bytes()
    at = data.rindex(b"PK\x01\x02")
    path.write_bytes(data[: at + 24] + struct.pack("<I", 2**30) + data[at + 28 :])
    refused(path, DamagedCheckpointError, "a zip bomb")


def test_overlapping_entries_are_refused(tmp_path: Path) -> None:
    path = in_zip(tmp_path / "net.pth", one_weight(tensor("0", 4, 0, [4], [1])), s0=bytes(16))
    data = path.read_bytes()
    at = data.rindex(b"PK\x01\x02")
    path.write_bytes(data[: at + 20] + struct.pack("<II", 2**30, 2**30) + data[at + 28 :])
    refused(path, DamagedCheckpointError, "its entries overlap")


def test_an_entry_that_is_listed_twice_is_refused(tmp_path: Path) -> None:
    path = in_zip(tmp_path / "net.pth", b"\x80\x02}.")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("net/data.pkl", b"\x80\x02}.")
    refused(path, DamagedCheckpointError, "twice")


def test_values_that_were_changed_on_the_way_are_refused(tmp_path: Path) -> None:
    path = in_zip(tmp_path / "net.pth", one_weight(tensor("0", 4, 0, [4], [1])), s0=b"abcdefghabcdefgh")
    path.write_bytes(path.read_bytes().replace(b"abcdefghabcdefgh", b"abcdefghXbcdefgh"))
    refused(path, DamagedCheckpointError, "Bad CRC-32")


def test_a_legacy_storage_larger_than_the_file_is_refused(tmp_path: Path) -> None:
    body = MAGIC + one_weight(tensor("0", 2**40, 0, [2**40], [1])) + pickle.dumps(["0"], 2)
    for count, message in (
        (2**40, "declares 4,398,046,511,104 bytes"),
        (-1, "cut off"),
        (2**62, "cut off"),
        (2, "has 8 bytes"),
    ):
        path = tmp_path / "net.pth"
        path.write_bytes(body + struct.pack("<q", count) + bytes(8))
        refused(path, DamagedCheckpointError, message)


def test_a_legacy_file_whose_list_of_storages_lies_is_refused(tmp_path: Path) -> None:
    for keys in (["1"], ["0", "0"], [0], {"0": 1}, None, 5):
        path = tmp_path / "net.pth"
        path.write_bytes(
            MAGIC + one_weight(tensor("0", 1, 0, [1], [1])) + pickle.dumps(keys, 2) + struct.pack("<q", 1) + bytes(400)
        )
        refused(path, DamagedCheckpointError, "storages|cut off")


def test_texts_longer_than_the_file_allocate_nothing(tmp_path: Path) -> None:
    for data in (
        b"\x8d" + struct.pack("<Q", 2**62) + b"x",
        b"X\xff\xff\xff\xff" + b"x",
        b"\x8e" + struct.pack("<Q", 2**40),
        b"\x8b\xff\xff\xff\x7f1",
    ):
        for place in (in_zip, in_legacy):
            refused(place(tmp_path / "net.pth", b"\x80\x04" + data), DamagedCheckpointError, "broken or cut off")


def test_a_pickle_of_too_many_steps_is_refused(tmp_path: Path) -> None:
    unpickler = InertUnpickler(tmp_path / "net.pth", StepBudget(tmp_path / "net.pth", steps=1000))
    with pytest.raises(DamagedCheckpointError, match="more than 1,000 steps"):
        unpickler.load(b"\x80\x02" + b"}0" * 1000 + b"N.")


def test_copies_of_one_long_list_are_counted(tmp_path: Path) -> None:
    unpickler = InertUnpickler(tmp_path / "net.pth", StepBudget(tmp_path / "net.pth", steps=5000))
    pairs = b"](" + (b"K\x01K\x02\x86" * 300) + b"eq\x00"
    again = name("collections", "OrderedDict") + b"h\x00\x85R0"
    with pytest.raises(DamagedCheckpointError, match="more than 5,000 steps"):
        unpickler.load(b"\x80\x02" + pairs + again * 20 + b".")


def laughs(levels: int, start: bytes = b"K\x01") -> bytes:
    """A tuple of two of the same tuple of two …: 2**levels leaves in a few bytes."""
    return start + b"".join(b"2\x86" for _ in range(levels))


def test_a_billion_laughs_are_never_expanded(tmp_path: Path) -> None:
    refused(in_zip(tmp_path / "net.pth", b"\x80\x02" + laughs(200) + b"."), CheckpointError, "holds no tensors")
    key = b"\x80\x02}" + laughs(200) + b"Ns."
    refused(in_zip(tmp_path / "net.pth", key), DamagedCheckpointError, "a dict key that is neither plain")


def test_deep_nesting_ends_in_a_message(tmp_path: Path) -> None:
    depth = 30_000
    for data in (b"]" * depth + b"a" * (depth - 1), b")" + b"\x85" * depth, b"}" + (b"U\x01a}" * depth) + b"s" * depth):
        for place in (in_zip, in_legacy):
            refused(place(tmp_path / "net.pth", b"\x80\x02" + data + b"."), CheckpointError, "holds no tensors")


def test_dicts_that_contain_themselves_end_in_a_message(tmp_path: Path) -> None:
    data = b"\x80\x02}q\x00" + text("model") + b"h\x00s" + text("state_dict") + b"]q\x01h\x01ah\x00as."
    refused(in_zip(tmp_path / "net.pth", data), CheckpointError, "holds no tensors")


def module(children: bytes, weight: bytes = b"") -> bytes:
    state = (
        b"}("
        + text("_parameters")
        + b"}"
        + weight
        + text("_buffers")
        + b"}"
        + text("_modules")
        + b"}"
        + children
        + b"ub"
    )
    return name("their", "Model") + b")\x81q\x00" + state


def test_modules_that_contain_themselves_end_in_a_message(tmp_path: Path) -> None:
    data = b"\x80\x02" + module(text("again") + b"h\x00s") + b"."
    refused(in_zip(tmp_path / "net.pth", data), DamagedCheckpointError, "contain themselves")


def test_modules_that_double_at_each_level_end_in_a_message(tmp_path: Path) -> None:
    data = module(b"")
    for level in range(1, 41):
        index = bytes([level])
        below = b"h" + bytes([level - 1])
        children = text("a") + below + b"s" + text("b") + below + b"s"
        data += b"0" + module(children).replace(b"q\x00", b"q" + index)
    refused(in_zip(tmp_path / "net.pth", b"\x80\x02" + data + b"."), DamagedCheckpointError, "more than 20,000")


def test_names_from_the_file_stay_on_one_line_and_short(tmp_path: Path) -> None:
    data = b"\x80\x04" + stack_name("os", "evil\n\x1b[31m" + "x" * 10_000) + b")R."
    message = refused(in_zip(tmp_path / "net.pth", data), UnsafePickleError)
    assert "\x1b" not in message
    keys = b"\x80\x02}" + text("a\nb") + tensor("0", 1, 0, [1], [1]) + b"s."
    refused(in_zip(tmp_path / "net.pth", keys, s0=bytes(4)), DamagedCheckpointError, "no short printable text")


def test_pickles_that_do_not_add_up_are_refused(tmp_path: Path) -> None:
    for data in (
        b"",
        b".",
        b"0.",
        b"N",
        b"(N.",
        b"NN.",
        b"h\x05.",
        b"R.",
        b"b.",
        b"Na.",
        b"NNNs.",
        b"]]Ns.",
        b"}(Nu.",
        b"\x86.",
        b"t.",
        b"o.",
        b"(o.",
        b"\x80\x09N.",
        b"\xffN.",
        b"Nb.",
        b"K\x01K\x02R.",
        b"NN\x81.",
        b"NN\x93.",
        b"\x97.",
        b"Q.",
        b"L" + b"9" * 9000 + b"\n.",
    ):
        for place in (in_zip, in_legacy):
            refused(place(tmp_path / "net.pth", b"\x80\x02" + data), CheckpointError)


@pytest.mark.parametrize("legacy", [False, True])
def test_no_changed_byte_ends_in_anything_but_an_error_of_ours(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "net.pth"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)
        torch.save(torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1)), path, _use_new_zipfile_serialization=not legacy)
    if not legacy:
        with zipfile.ZipFile(path) as archive:
            in_zip(path, archive.read("net/data.pkl"), s0=archive.read("net/data/0"), s1=archive.read("net/data/1"))
    data = path.read_bytes()
    generator = torch.Generator().manual_seed(3)
    changes = zip(
        torch.randint(len(data), (500,), generator=generator).tolist(),
        torch.randint(256, (500,), generator=generator).tolist(),
        strict=True,
    )
    for at, value in changes:
        path.write_bytes(data[:at] + bytes([value]) + data[at + 1 :])
        try:
            read_checkpoint(path)
        except CheckpointError as error:
            assert "\n" not in str(error)  # noqa: PT017 - most changes are refused, a few change a value only
