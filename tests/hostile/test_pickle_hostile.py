"""Pickles that call, import or look up what they must not: each is refused in one line, and nothing of it is run."""

from __future__ import annotations

import pickle
import pickletools
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.each_case import each_case
from tests.hostile.pickles import attribute, in_legacy, in_zip, name, refused, stack_name, storage, text

from segexport.checkpoint.pickle.inert_pickle import CONSTANTS, LITERALS, InertUnpickler
from segexport.errors import CheckpointError, UnsafePickleError

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


def test_every_opcode_of_pickle_is_either_known_or_refused() -> None:
    unpickler = InertUnpickler(Path("net.pth"))
    known = {*unpickler.plain, *unpickler.with_argument, *CONSTANTS, *LITERALS}
    opcodes = {opcode.name for opcode in pickletools.opcodes}
    assert opcodes - known == {"EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER", "PERSID"}
    assert known <= opcodes
