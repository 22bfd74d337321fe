"""What happens where a pickle calls something: one of our reducers, an inert record, or a refusal."""

from __future__ import annotations

from pathlib import Path

from segexport.checkpoint.pickle.budget import StepBudget
from segexport.checkpoint.pickle.inert import Inert, Name
from segexport.checkpoint.pickle.pickle_names import BUILTINS, GETATTR, is_refused
from segexport.checkpoint.pickle.reducers import SCALARS, TENSOR_REDUCERS, Args
from segexport.errors import LONGEST_SHOWN, CheckpointError, DamagedCheckpointError, UnsafePickleError

RECONSTRUCTORS = frozenset(
    {"copyreg._reconstructor", "copy_reg._reconstructor", "copyreg.__newobj__", "copy_reg.__newobj__"}
)
WITH_STATE = frozenset({"torch._tensor._rebuild_from_type", "torch._tensor._rebuild_from_type_v2"})
# recorded with their arguments, as a stand-in object; each of these is met in training dicts or in modules
RECORDED = frozenset(
    f"{module}.{name}"
    for module, names in {
        "builtins": "set frozenset list dict tuple bytes bytearray complex slice range",
        "__builtin__": "set frozenset list dict tuple bytes bytearray complex slice range xrange",
        "_codecs": "encode",
        "argparse": "Namespace",
        "collections": "deque",
        "datetime": "date datetime time timedelta timezone",
        "decimal": "Decimal",
        "fractions": "Fraction",
        "functools": "partial",
        "logging": "getLogger",
        "numpy": "dtype ndarray",
        "numpy.core.multiarray": "scalar _reconstruct",
        "numpy._core.multiarray": "scalar _reconstruct",
        "numpy.core.numeric": "_frombuffer",
        "numpy._core.numeric": "_frombuffer",
        "numpy.random._pickle": "__randomstate_ctor __generator_ctor __bit_generator_ctor",
        "pathlib": "Path PurePath PosixPath PurePosixPath WindowsPath PureWindowsPath",
        "pathlib._local": "Path PurePath PosixPath PurePosixPath WindowsPath PureWindowsPath",
        "torch.serialization": "_get_layout",
        "types": "SimpleNamespace",
        "uuid": "UUID",
        "zoneinfo": "ZoneInfo",
    }.items()
    for name in names.split()
)
SETS = frozenset({"set", "frozenset", "list"})
ATTRIBUTES = frozenset(f"{module}.{GETATTR}" for module in BUILTINS)
MAX_NESTING = 8  # classes in classes


def call(path: Path, budget: StepBudget, function: object, args: object) -> object:
    """The value that stands for `function(*args)`; nothing outside this package is called."""
    if not isinstance(function, Name):
        raise UnsafePickleError(path, function.kind.dotted if isinstance(function, Inert) else type(function).__name__)
    if not isinstance(args, tuple):
        raise DamagedCheckpointError(path, f"{function.dotted} is called with something else than a tuple")
    try:
        return _call_known(path, budget, function, args)
    except CheckpointError:
        raise
    except (TypeError, ValueError, IndexError) as error:
        raise DamagedCheckpointError(path, f"{function.dotted} is called with arguments that it cannot have") from error


def _call_known(path: Path, budget: StepBudget, function: Name, args: Args) -> object:
    dotted = function.dotted
    if dotted in TENSOR_REDUCERS:
        return TENSOR_REDUCERS[dotted](budget, args)
    if dotted in RECONSTRUCTORS:
        return new(path, args[0], args[1:])
    if dotted in ATTRIBUTES:
        return attribute_of(path, *args)
    if dotted in WITH_STATE:
        return call(path, budget, args[0], args[2])
    if dotted in RECORDED:
        return _recorded(function, args)
    if _looks_like_an_enum_member(function, args):
        return Inert(function, args)
    raise UnsafePickleError(path, dotted)


def attribute_of(path: Path, owner: object, attribute: object) -> Name | Inert:
    """What stands for `getattr(owner, attribute)`: a longer name, `Outer.Inner`; of an object, its method with the object.

    Pickles spell a class in a class so up to protocol 3, and a method (`self.act = torch.relu`) in all. Nothing is looked up.
    """
    kind = owner.kind if isinstance(owner, Inert) else owner
    if not isinstance(kind, Name):
        raise UnsafePickleError(path, f"{GETATTR} of a {type(owner).__name__}")
    if not isinstance(attribute, str) or not attribute.isidentifier() or len(attribute) > LONGEST_SHOWN:
        raise UnsafePickleError(path, f"{GETATTR} of {kind.dotted}")
    if kind.name.count(".") >= MAX_NESTING or len(kind.name) > MAX_NESTING * LONGEST_SHOWN:
        raise UnsafePickleError(path, f"{GETATTR} of {kind.dotted}, nested more than {MAX_NESTING} deep")
    found = Name(kind.module, f"{kind.name}.{attribute}")
    if is_refused(found):
        raise UnsafePickleError(path, found.dotted)
    return found if owner is kind else Inert(found, (owner,))


def _recorded(function: Name, args: Args) -> Inert:
    if function.name in SETS and len(args) == 1 and isinstance(args[0], list):
        return Inert(function, elements=args[0])
    return Inert(function, args)


def _looks_like_an_enum_member(function: Name, args: Args) -> bool:
    """`Mode(3)`: a class, going by its capital, and one plain value. It is recorded, never called."""
    return function.name.rpartition(".")[2][:1].isupper() and len(args) == 1 and isinstance(args[0], SCALARS)


def new(path: Path, kind: object, args: object) -> Inert:
    """The stand-in for `kind.__new__(kind, *args)`: no class is made or looked up for it."""
    if not isinstance(kind, Name):
        raise DamagedCheckpointError(path, "its pickle makes an object of something that is not a class")
    if not isinstance(args, tuple):
        raise DamagedCheckpointError(path, f"{kind.dotted} is made with something else than a tuple")
    return Inert(kind, args)
