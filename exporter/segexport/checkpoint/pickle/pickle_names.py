"""Which names a pickle may carry. None is ever imported; these are refused all the same: no weights need them."""

from __future__ import annotations

from segexport.checkpoint.pickle.inert import Name

_ROOTS = """
    os posix nt ntpath posixpath subprocess commands pty popen2 platform sys sysconfig site shutil tempfile
    fileinput glob io _io importlib imp pkgutil runpy zipimport zipapp modulefinder marshal pickle _pickle cPickle
    dill cloudpickle joblib shelve socket _socket socketserver ssl select selectors asyncio http httplib urllib
    urllib2 urllib3 requests aiohttp ftplib smtplib poplib imaplib telnetlib nntplib xmlrpc webbrowser antigravity
    ctypes _ctypes cffi mmap signal multiprocessing threading _thread concurrent gc inspect dis codeop bdb pdb
    profile cProfile timeit trace doctest unittest pydoc idlelib ensurepip pip setuptools distutils venv sqlite3 dbm
    winreg _winreg msvcrt readline rlcompleter curses tkinter turtle
"""
REFUSED_ROOTS = frozenset(_ROOTS.split())
REFUSED_NAMES = frozenset(
    {
        ("code", "interact"),  # not all of `code`: it is also what people call their own folder
        ("code", "InteractiveConsole"),
        ("code", "InteractiveInterpreter"),
        ("types", "CodeType"),
        ("types", "FunctionType"),
        ("types", "LambdaType"),
        ("types", "MethodType"),
        ("torch", "load"),
        ("torch.serialization", "load"),
        ("torch.jit", "load"),
        ("torch.hub", "load"),
        ("numpy", "load"),
        ("numpy", "fromfile"),
    }
)
REFUSED_DOTTED = frozenset(".".join(pair) for pair in REFUSED_NAMES)  # wherever the module ends
BUILTINS = frozenset({"builtins", "__builtin__", "__builtins__"})
_PLAIN = """
    set frozenset list dict tuple bytes bytearray complex object int float str bool slice range xrange unicode long
    Ellipsis NotImplemented
"""
GETATTR = "getattr"  # names a class in a class, or a method; see calls.attribute_of
PLAIN_BUILTINS = frozenset({*_PLAIN.split(), GETATTR})
DUNDER_FUNCTIONS = frozenset(
    {"__newobj__", "__newobj_ex__", "__randomstate_ctor", "__generator_ctor", "__bit_generator_ctor"}
)


def is_refused(name: Name) -> bool:
    """Whether this name is reason enough to refuse the file, even where the pickle never calls it."""
    root = name.module.split(".", 1)[0]
    if root in BUILTINS:
        return name.name not in PLAIN_BUILTINS
    return root in REFUSED_ROOTS or f"{name.module}.{name.name}" in REFUSED_DOTTED or _walks_out(name.name)


def _walks_out(name: str) -> bool:
    """Whether a dotted name leaves its own module, such as `os.system` of `torch.serialization`."""
    parts = name.split(".")
    if any(part in REFUSED_ROOTS or part in BUILTINS for part in parts[:-1]):
        return True
    return any(part.startswith("__") and part not in DUNDER_FUNCTIONS for part in parts)
