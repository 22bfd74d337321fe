"""What a child process runs first: `python start.py WORKER.py [FOLDER …]`.

The worker finds this very `segexport`, however its parent found it, and the packages of its own interpreter; after them those
in FOLDERs, where the parent found the tools (`pip install --user` or `--target`). Nothing else of the parent's.
"""

import sys

if __name__ == "__main__" and not getattr(sys.flags, "safe_path", False):
    del sys.path[0]  # Python 3.10 knows no PYTHONSAFEPATH: this file's folder, whose names are no modules

import runpy
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path


def offer_package(root: Path) -> None:
    """The package in `root` under its name, without the folder above, where others lie."""
    spec = spec_from_file_location(root.name, root / "__init__.py", submodule_search_locations=[str(root)])
    if spec is None or spec.loader is None:
        raise ImportError(f"{root}: no package")
    package = sys.modules[root.name] = module_from_spec(spec)
    spec.loader.exec_module(package)


if __name__ == "__main__":
    offer_package(Path(__file__).parents[1])
    worker, *folders = sys.argv[1:]
    sys.path += [folder for folder in folders if folder not in sys.path]
    sys.argv = [worker]
    runpy.run_path(worker, run_name="__main__")
