"""Checkpoints that were made to do harm: each is refused in one line, quickly, and nothing of it is run."""

from __future__ import annotations

import pickle
import pickletools
import re
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.each_case import each_case
from tests.refusals import refusal

from segexport.checkpoint import read_checkpoint
from segexport.checkpoint.pickle.budget import StepBudget
from segexport.checkpoint.pickle.inert_pickle import InertUnpickler
from segexport.errors import CheckpointError, DamagedCheckpointError, UnsafePickleError

MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def stack_name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


def attribute(owner: bytes, of: str) -> bytes:
    """getattr(owner, of)"""
    return name("builtins", "getattr") + owner + text(of) + b"\x86R"


def in_zip(path: Path, data: bytes, **storages: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", data)
        archive.writestr("net/byteorder", b"little")
        for key, values in storages.items():
            archive.writestr(f"net/data/{key.removeprefix('s')}", values)
    return path


def in_legacy(path: Path, data: bytes) -> Path:
    path.write_bytes(MAGIC + data + pickle.dumps([], 2))
    return path


def refused(path: Path, error: type[Exception] = CheckpointError, match: str | None = None) -> str:
    return refusal(error, read_checkpoint, path, match=match, most=699)


# calls: what the payload would do is to create the file `marker`

CALLS: dict[str, tuple[Callable[[str], bytes], str]] = {
    "os.system": (lambda m: name("os", "system") + text(f"touch {m}") + b"\x85R", "os.system"),
    "posix": (lambda m: name("posix", "system") + text(f"touch {m}") + b"\x85R", "posix.system"),
    "subprocess": (lambda m: name("subprocess", "check_output") + text(m) + b"\x85R", "subprocess.check_output"),
    "eval": (lambda m: name("builtins", "eval") + text(f"open({m!r},'w')") + b"\x85R", "builtins.eval"),
    "exec of Python 2": (
        lambda m: name("__builtin__", "exec") + text(f"open({m!r},'w')") + b"\x85R",
        "__builtin__.exec",
    ),
    "open": (lambda m: name("builtins", "open") + text(m) + text("w") + b"\x86R", "builtins.open"),
    "io": (lambda m: name("io", "open") + text(m) + text("w") + b"\x86R", "io.open"),
    "a method by getattr": (
        lambda m: attribute(name("pathlib", "Path"), "touch") + name("pathlib", "Path") + text(m) + b"\x85R\x85R",
        "pathlib.Path.touch",
    ),
    "a method of an object by getattr": (
        lambda m: attribute(name("pathlib", "Path") + text(m) + b"\x85R", "touch") + b")R",
        "pathlib.Path.touch",
    ),
    "getattr into a module": (
        lambda m: attribute(attribute(name("torch", "serialization"), "os"), "system") + text(m) + b"\x85R",
        "torch.serialization.os.system",
    ),
    "getattr of a refused name": (lambda m: attribute(name("torch", "serialization"), "load"), "serialization.load"),
    "getattr of os": (lambda m: attribute(name("os", "path"), "join"), "os.path"),
    "getattr of a dunder": (lambda m: attribute(name("their", "Model"), "__init__"), "their.Model.__init__"),
    "getattr of two names": (lambda m: attribute(name("their", "Model"), "a.b"), "getattr of their.Model"),
    "getattr of no name": (
        lambda m: name("builtins", "getattr") + name("their", "Model") + b"K\x01\x86R",
        "getattr of their.Model",
    ),
    "getattr of a long name": (lambda m: attribute(name("their", "Model"), "a" * 121), "getattr of their.Model"),
    "getattr of text": (lambda m: attribute(text("a"), "format"), "getattr of a str"),
    "getattr of a dict": (lambda m: attribute(b"}", "update"), "getattr of a dict"),
    "getattr of a list": (lambda m: attribute(b"]", "append"), "getattr of a list"),
    "getattr of a tensor's bytes": (lambda m: attribute(storage("0", 4), "tofile"), "getattr of a StorageRef"),
    "getattr, called with itself": (
        lambda m: attribute(name("builtins", "getattr"), "a"),
        "builtins.getattr.a",
    ),
    "its result is called": (
        lambda m: attribute(name("their", "Model"), "run") + text(m) + b"\x85R",
        "their.Model.run",
    ),
    "its result gets attributes": (
        lambda m: attribute(name("their", "Model"), "Inner") + b"}" + text("forward") + text(m) + b"sb",
        "setting attributes of their.Model.Inner",
    ),
    "a partial is called": (
        lambda m: name("functools", "partial") + name("their", "run") + b"\x85R" + text(m) + b"\x85R",
        "functools.partial",
    ),
    "stack global": (lambda m: stack_name("os", "system") + text(f"touch {m}") + b"\x85R", "os.system"),
    "through a module": (lambda m: stack_name("torch.serialization", "os.system") + text(m) + b"\x85R", "os.system"),
    "through a dunder": (lambda m: stack_name("torch", "nn.__class__") + text(m) + b"\x85R", "__class__"),
    "inst": (lambda m: b"(" + text(f"touch {m}") + b"ios\nsystem\n", "os.system"),
    "obj": (lambda m: b"(" + name("os", "system") + text(f"touch {m}") + b"o", "os.system"),
    "newobj": (lambda m: name("subprocess", "Popen") + text(m) + b"\x85\x81", "subprocess.Popen"),
    "newobj_ex": (lambda m: name("subprocess", "Popen") + text(m) + b"\x85}\x92", "subprocess.Popen"),
    "numpy runstring": (
        lambda m: name("numpy.testing._private.utils", "runstring") + text(f"open({m!r},'w')") + b"}\x86R",
        "numpy.testing._private.utils.runstring",
    ),
    "torch.hub": (
        lambda m: name("torch.hub", "download_url_to_file") + text("http://x") + text(m) + b"\x86R",
        "download_url_to_file",
    ),
    "a function of the user": (lambda m: name("their.code", "build") + text(m) + b"\x85R", "their.code.build"),
    "a class with many arguments": (
        lambda m: name("their.code", "Writer") + text(m) + text("w") + b"\x86R",
        "their.code.Writer",
    ),
    "the reconstructor": (
        lambda m: name("torch._tensor", "_rebuild_from_type_v2") + b"(" + name("os", "system") + b"NNNtR",
        "os.system",
    ),
    "rebuilt from a type": (
        lambda m: (
            name("torch._tensor", "_rebuild_from_type_v2") + b"(" + name("their", "run") + b"N" + text(m) + b"\x85NtR"
        ),
        "their.run",
    ),
    "a stand-in is called": (lambda m: name("their", "Model") + b")\x81" + text(m) + b"\x85R", "their.Model"),
    "extension registry": (lambda m: b"\x82\x01" + text(m) + b"\x85R", "opcode EXT1"),
    "class attributes": (
        lambda m: name("torch.nn", "Module") + b"}" + text("forward") + text(m) + b"sb",
        "setting attributes of",
    ),
    "only named": (lambda m: b"}" + text("a") + name("os", "system") + b"s", "os.system"),
    "only named, then dropped": (lambda m: name("sys", "modules") + b"0}", "sys.modules"),
    "importlib": (
        lambda m: name("importlib", "import_module") + text("antigravity") + b"\x85R",
        "importlib.import_module",
    ),
    "pickle in pickle": (lambda m: name("pickle", "loads") + b"C\x01." + b"\x85R", "pickle.loads"),
    "code": (lambda m: name("code", "interact") + b")R", "code.interact"),
    "functions from code": (lambda m: name("types", "FunctionType") + b")R", "types.FunctionType"),
}


@each_case("place", [in_zip, in_legacy])
@each_case("kind", list(CALLS))
def test_nothing_that_a_pickle_asks_for_is_run(tmp_path: Path, kind: str, place: Callable[[Path, bytes], Path]) -> None:
    build, asked = CALLS[kind]
    marker = tmp_path / "marker"
    path = place(tmp_path / "net.pth", b"\x80\x04" + build(str(marker)) + b".")
    message = refused(path, UnsafePickleError, re.escape(asked))
    assert not marker.exists()
    assert "nothing was run" in message


def test_the_payloads_would_run_in_a_plain_unpickler(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    pickle.loads(b"\x80\x04" + CALLS["os.system"][0](str(marker)) + b".")
    assert marker.exists()


def test_a_module_on_disk_that_a_pickle_names_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trap.py").write_text(f"open({str(tmp_path / 'marker')!r}, 'w')")
    monkeypatch.syspath_prepend(str(tmp_path))
    data = b"\x80\x02" + name("trap", "UNet") + b")\x81}b."
    refused(in_zip(tmp_path / "net.pth", data), CheckpointError, "holds no tensors")
    assert "trap" not in sys.modules
    assert not (tmp_path / "marker").exists()


def test_state_with_dunders_changes_nothing_here(tmp_path: Path) -> None:
    state = (
        b"}" + text("__class__") + name("torch.nn", "Module") + b"s" + text("__dict__") + b"}s" + text("kind") + b"Ns"
    )
    data = b"\x80\x02" + name("their", "Model") + b")\x81" + state + b"b."
    refused(in_zip(tmp_path / "net.pth", data), CheckpointError, "holds no tensors")


@pytest.mark.parametrize("of", [b"c__builtin__\ngetattr\n", b"cbuiltins\ngetattr\n"])
@pytest.mark.parametrize("owner", [name("their", "Model"), name("their", "Model") + b")\x81"], ids=["class", "object"])
def test_getattr_again_and_again_ends_early(tmp_path: Path, of: bytes, owner: bytes) -> None:
    def chain(times: int) -> bytes:
        return b"\x80\x02}" + text("w") + of * times + owner + (text("a") + b"\x86R") * times + b"s."

    refused(in_zip(tmp_path / "net.pth", chain(8)), CheckpointError, "holds no tensors")  # read, and nothing in it
    refused(in_zip(tmp_path / "net.pth", chain(9)), UnsafePickleError, "nested more than 8 deep")
    refused(in_zip(tmp_path / "net.pth", chain(100_000)), UnsafePickleError, "nested more than 8 deep")


def test_getattr_of_a_long_name_copies_it_no_more(tmp_path: Path) -> None:
    data = b"\x80\x02]" + attribute(name("their", "M" * 1000), "a") + b"a."
    refused(in_zip(tmp_path / "net.pth", data), UnsafePickleError, "nested more than 8 deep")


# memory and time


def storage(key: str, count: int | bytes, kind: str = "FloatStorage") -> bytes:
    number = count if isinstance(count, bytes) else b"\x8a\x08" + struct.pack("<q", count)
    return b"(" + text("storage") + name("torch", kind) + text(key) + text("cpu") + number + b"tQ"


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


def test_every_opcode_of_pickle_is_either_known_or_refused() -> None:
    unpickler = InertUnpickler(Path("net.pth"))
    from segexport.checkpoint.pickle.inert_pickle import CONSTANTS, LITERALS

    known = {*unpickler.plain, *unpickler.with_argument, *CONSTANTS, *LITERALS}
    opcodes = {opcode.name for opcode in pickletools.opcodes}
    assert opcodes - known == {"EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER", "PERSID"}
    assert known <= opcodes
