"""A pickle machine of our own: pickletools splits the bytes into opcodes, and each builds inert values only.

Python's unpickler is not used at all: no class is looked up, nothing that the file names is imported or called.
Limits: Budget steps in all, and only shallow dict keys (see reducers.check_key).
"""

from __future__ import annotations

import pickletools
from pathlib import Path
from typing import IO, cast

from segexport.checkpoint.pickle.budget import StepBudget
from segexport.checkpoint.pickle.calls import call, new
from segexport.checkpoint.pickle.inert import Inert, Name, StorageRef, TensorRef, Unreadable
from segexport.checkpoint.pickle.pickle_names import is_refused
from segexport.checkpoint.pickle.pickle_stack import PickleStack
from segexport.checkpoint.pickle.storage_ids import storage_of
from segexport.errors import CheckpointError, DamagedCheckpointError, UnsafePickleError, shown

_LITERALS = """
    INT BININT BININT1 BININT2 LONG LONG1 LONG4 STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8
    BYTEARRAY8 UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8 FLOAT BINFLOAT
"""
LITERALS = frozenset(_LITERALS.split())
CONSTANTS: dict[str, object] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}


class InertUnpickler(PickleStack):
    """Reads the pickles of one file; `storages` collects every storage that they name."""

    def __init__(self, path: Path, budget: StepBudget | None = None) -> None:
        super().__init__(path, budget or StepBudget(path))
        self.storages: dict[str, StorageRef] = {}
        self.plain |= {
            "STACK_GLOBAL": self._stack_global,
            "OBJ": self._obj,
            "REDUCE": self._reduce,
            "NEWOBJ": self._newobj,
            "NEWOBJ_EX": self._newobj_ex,
            "BUILD": self._build,
            "BINPERSID": self._binpersid,
        }
        self.with_argument |= {"GLOBAL": self._global, "INST": self._inst}

    def load(self, stream: object) -> object:
        """The value of the next pickle in `stream` (bytes, or anything with read, readline and tell)."""
        self._clear()
        try:
            for opcode, argument, _ in pickletools.genops(cast("bytes | IO[bytes]", stream)):
                self.budget.spend(1)
                self._step(opcode.name, argument)
            if len(self.stack) != 1 or self.marks:
                raise DamagedCheckpointError(self.path, "its pickle does not end in one value")
            return self.stack.pop()
        except CheckpointError:
            raise
        except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
            raise DamagedCheckpointError(self.path, f"its pickle is broken or cut off ({shown(str(error))})") from error

    def _step(self, opcode: str, argument: object) -> None:
        if opcode in LITERALS:
            self.stack.append(argument)
        elif opcode in CONSTANTS:
            self.stack.append(CONSTANTS[opcode])
        elif opcode in self.plain:
            self.plain[opcode]()
        elif opcode in self.with_argument:
            self.with_argument[opcode](argument)
        else:
            raise UnsafePickleError(self.path, f"opcode {opcode}")

    def _pop_name(self) -> str:
        text = self.stack.pop()
        if not isinstance(text, str):
            raise DamagedCheckpointError(self.path, "its pickle names a class with something else than text")
        return text

    def _name(self, module: str, name: str) -> Name:
        found = Name(module, name)
        if is_refused(found):
            raise UnsafePickleError(self.path, found.dotted)
        return found

    def _global(self, argument: object) -> None:
        module, _, name = cast("str", argument).partition(" ")
        self.stack.append(self._name(module, name))

    def _stack_global(self) -> None:
        name, module = self._pop_name(), self._pop_name()
        self.stack.append(self._name(module, name))

    def _inst(self, argument: object) -> None:
        module, _, name = cast("str", argument).partition(" ")
        found = self._name(module, name)
        args = tuple(self._take_to_mark())
        self.stack.append(call(self.path, self.budget, found, args))

    def _obj(self) -> None:
        kind, *args = self._take_to_mark()
        self.stack.append(call(self.path, self.budget, kind, tuple(args)))

    def _reduce(self) -> None:
        args, function = self.stack.pop(), self.stack.pop()
        self.stack.append(call(self.path, self.budget, function, args))

    def _newobj(self) -> None:
        args, kind = self.stack.pop(), self.stack.pop()
        self.stack.append(new(self.path, kind, args))

    def _newobj_ex(self) -> None:
        self.stack.pop()
        self._newobj()

    def _build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Name):
            raise UnsafePickleError(self.path, f"setting attributes of {target.dotted}")
        if isinstance(target, Inert):
            target.state = state
        elif not isinstance(target, (dict, TensorRef, Unreadable)):
            raise DamagedCheckpointError(self.path, "its pickle gives a state to a plain value")

    def _binpersid(self) -> None:
        found = storage_of(self.path, self.stack.pop())
        if isinstance(found, StorageRef):
            self.storages.setdefault(found.key, found)
        self.stack.append(found)
