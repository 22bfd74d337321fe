"""The half of the pickle machine that only moves values: stack, marks, memo, and plain containers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import cast

from segexport.checkpoint.pickle.budget import StepBudget
from segexport.checkpoint.pickle.inert import Inert, Name
from segexport.checkpoint.pickle.reducers import check_key
from segexport.errors import DamagedCheckpointError

MAX_PROTOCOL = 5
SET = Name("builtins", "set")
FROZENSET = Name("builtins", "frozenset")


class PickleStack(ABC):
    """`plain` opcodes take nothing, `with_argument` ones take one; a subclass adds those that name, call or refer."""

    def __init__(self, path: Path, budget: StepBudget) -> None:
        self.path = path
        self.budget = budget
        self._clear()
        self.plain: dict[str, Callable[[], object]] = {
            "FRAME": lambda: None,
            "STOP": lambda: None,
            "MARK": self._mark,
            "POP": self._pop,
            "POP_MARK": self._take_to_mark,
            "DUP": self._dup,
            "MEMOIZE": self._memoize,
            "TUPLE": self._tuple,
            "TUPLE1": lambda: self._tuple_of(1),
            "TUPLE2": lambda: self._tuple_of(2),
            "TUPLE3": lambda: self._tuple_of(3),
            "EMPTY_LIST": lambda: self.stack.append([]),
            "LIST": self._list,
            "EMPTY_SET": lambda: self.stack.append(Inert(SET)),
            "FROZENSET": self._frozenset,
            "APPEND": lambda: self._extend([self.stack.pop()]),
            "APPENDS": lambda: self._extend(self._take_to_mark()),
            "ADDITEMS": lambda: self._extend(self._take_to_mark()),
            "EMPTY_DICT": lambda: self.stack.append({}),
            "DICT": self._dict,
            "SETITEM": self._setitem,
            "SETITEMS": lambda: self._set_items(self._take_to_mark()),
        }
        self.with_argument: dict[str, Callable[[object], object]] = {
            "PROTO": self._proto,
            **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), self._put),
            **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), self._get),
        }

    @abstractmethod
    def load(self, stream: object) -> object:
        """The value of the next pickle."""

    def _clear(self) -> None:
        self.stack: list[object] = []
        self.marks: list[list[object]] = []
        self.memo: dict[int, object] = {}

    def _take_to_mark(self) -> list[object]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def _proto(self, version: object) -> None:
        if not isinstance(version, int) or version > MAX_PROTOCOL:
            raise DamagedCheckpointError(self.path, f"pickle protocol {version}, the highest known is {MAX_PROTOCOL}")

    def _mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def _pop(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._take_to_mark()

    def _dup(self) -> None:
        self.stack.append(self.stack[-1])

    def _put(self, index: object) -> None:
        self.memo[cast("int", index)] = self.stack[-1]

    def _memoize(self) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _get(self, index: object) -> None:
        self.stack.append(self.memo[cast("int", index)])

    def _tuple(self) -> None:
        items = self._take_to_mark()
        self.stack.append(tuple(items))

    def _tuple_of(self, count: int) -> None:
        if len(self.stack) < count:
            raise IndexError("a tuple of more than there is")
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def _list(self) -> None:
        items = self._take_to_mark()
        self.stack.append(items)

    def _frozenset(self) -> None:
        items = self._take_to_mark()
        self.stack.append(Inert(FROZENSET, elements=items))

    def _extend(self, items: list[object]) -> None:
        target = self.stack[-1]
        if isinstance(target, Inert):
            target.elements.extend(items)
        elif isinstance(target, list):
            target.extend(items)
        else:
            raise DamagedCheckpointError(self.path, "its pickle appends to something that is no list")

    def _dict(self) -> None:
        items = self._take_to_mark()
        self.stack.append({})
        self._set_items(items)

    def _setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items([key, value])

    def _set_items(self, items: list[object]) -> None:
        target = self.stack[-1]
        entries = target.items if isinstance(target, Inert) else target
        if not isinstance(entries, dict) or len(items) % 2:
            raise DamagedCheckpointError(self.path, "its pickle sets entries of something that is no dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            check_key(key)
            entries[key] = value
