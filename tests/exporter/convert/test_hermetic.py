"""The same files from every environment: an export runs as a command, alone and then with all that a tool could pick up.

Model files carry versions and digests, but no date, no folder and no name of the machine: they are compared whole.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import pytest
import torch
from tests.places import ROOT
from torch import Tensor, nn
from torch.nn import functional as F

import segexport
from segexport.pictures.files import draw_pictures
from segexport.process.child import Child, find_tools

DEMO = ROOT / "examples" / "portrait_unet.pth"
BIN = Path(sys.executable).parent
SYSTEM_PATH = "/usr/bin:/bin"
ELSEWHERE = "ein Ordner, ığüşöç 影"
WEIRD = {
    "XLA_FLAGS": "--nonsense",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --nonsense",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "TF_SET_ONEDNN_FPMATH_MODE": "BF16",
    "TF_NUM_INTRAOP_THREADS": "5",
    "TF_USE_LEGACY_KERAS": "0",
    "TF_PLUGGABLE_DEVICE_LIBRARY_PATH": "/nowhere",
    "KERAS_BACKEND": "nonsense",
    "KERAS_HOME": "/nowhere",
    "ONNX_ML": "0",
    "ONNX_HOME": "/nowhere",
    "OMP_NUM_THREADS": "7",
    "KMP_AFFINITY": "nonsense",
    "KMP_BLOCKTIME": "0",
    "OPENBLAS_CORETYPE": "Prescott",
    "CUDA_VISIBLE_DEVICES": "0",
    "TZ": "Pacific/Chatham",
}
TURKISH = {"LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8"}
OF_PYTHON = {"PYTHONHASHSEED": "17", "PYTHONSTARTUP": "onnx.py", "PYTHONNOUSERSITE": "", "PYTHONIOENCODING": "latin-1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an export is started in; `programs` and `modules` leave a mark where one of them is ever started."""

    variables: Mapping[str, str] = field(default_factory=dict)
    activated: bool = False
    as_module: bool = False
    programs: bool = False
    modules: bool = False
    settings: bool = False
    umask: int = 0o022


EVERYTHING = Surroundings(
    variables={**WEIRD, **TURKISH, **OF_PYTHON},
    activated=True,
    as_module=True,
    programs=True,
    modules=True,
    settings=True,
    umask=0o077,
)
ONE_BY_ONE = {
    "activated": Surroundings(activated=True),
    "as_a_module": Surroundings(as_module=True),
    "weird_variables": Surroundings(variables=WEIRD),
    "turkish": Surroundings(variables=TURKISH),
    "variables_of_python": Surroundings(variables=OF_PYTHON),
    "optimized_python": Surroundings(variables={"PYTHONOPTIMIZE": "1", "PYTHONDONTWRITEBYTECODE": "1"}),
    "umask": Surroundings(umask=0o077),
    "settings_at_home": Surroundings(settings=True),
    "no_home": Surroundings(variables={"HOME": "/dev/null"}),  # nothing can be written there, by root neither
    "programs": Surroundings(programs=True),
    "modules_in_the_folder": Surroundings(modules=True),
}


class Network(nn.Module):
    """ResNet's stem with its padded pool where `stem`, SegNet's pool and unpool where `unpool`, at an eighth of the size."""

    def __init__(self, *, stem: bool, unpool: bool) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.stem, self.unpool = stem, unpool
        self.first, self.norm = nn.Conv2d(3, 6, 7, 2, 3, bias=False), nn.BatchNorm2d(6)
        self.inner, self.last = nn.Conv2d(6, 6, 3, padding=1), nn.Conv2d(6, 1, 3, padding=1)
        with torch.no_grad():
            self.norm.running_var.uniform_(0.5, 2)
            self.norm.bias.uniform_(-0.5, 0.5)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[2:]
        x = F.relu(self.norm(self.first(x)))
        if self.stem:
            x = F.max_pool2d(x, 3, 2, 1)
        if self.unpool:
            pooled, indices = F.max_pool2d(x, 2, 2, return_indices=True)
            x = F.max_unpool2d(F.relu(self.inner(pooled)), indices, 2)
        return F.interpolate(self.last(x), size=size, mode="bilinear", align_corners=False)


NETWORKS = {"stem": (True, False), "unpool": (False, True), "stem_and_unpool": (True, True)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints and pictures."""
    made = tmp_path_factory.mktemp("hermetic")
    (made / "pictures").mkdir()
    for index, picture in enumerate(draw_pictures(8, size=64, seed=11)):
        cv2.imwrite(str(made / "pictures" / f"{index}.png"), picture)
    for name, (stem, unpool) in NETWORKS.items():
        network = Network(stem=stem, unpool=unpool).eval()
        torch.export.save(torch.export.export(network, (torch.zeros(1, 3, 32, 48),)), made / f"{name}.pt2")
    shutil.copyfile(DEMO, made / "demo.pth")
    return made


@pytest.fixture(scope="module")
def alone(folder: Path) -> dict[str, dict[str, bytes]]:
    """Network → its files, exported with hardly a variable set; filled by `files_alone`."""
    return {}


def files_alone(network: str, folder: Path, alone: dict[str, dict[str, bytes]]) -> dict[str, bytes]:
    if network not in alone:
        alone[network] = export(network, folder, folder / "alone" / network, Surroundings())
    return alone[network]


def export(network: str, folder: Path, here: Path, around: Surroundings) -> dict[str, bytes]:
    """`segexport tflite` in the folder `here`; name → bytes of each file that must not depend on where it was made."""
    (here / "home" / ".keras").mkdir(parents=True)
    mark = here / "mark"
    variables = environment(here, mark, around)
    if around.modules:
        for name in ("onnx", "tensorflow", "numpy", "flatbuffers", "onnx2tf", "sitecustomize"):
            (here / f"{name}.py").write_text(
                f"open({str(mark)!r}, 'a').write('{name}')\nraise ImportError('from outside')"
            )
    checkpoint = folder / (f"{network}.pth" if network == "demo" else f"{network}.pt2")
    words = ["tflite", str(checkpoint), "--preprocess", "imagenet", "--calibration", str(folder / "pictures")]
    words += ["--precision", "float32,int8", "--allow-inaccurate", "--output", "out"]
    words += ["--size", "64"] if network == "demo" else []
    command = [sys.executable, "-m", "segexport"] if around.as_module else [str(BIN / "segexport")]
    ran = subprocess.run(
        [*command, *words], cwd=here, env=variables, umask=around.umask, capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stderr.decode("utf-8", "replace")
    assert not mark.exists(), mark.read_text()
    made = sorted((here / "out").iterdir())
    assert {path.stat().st_mode & 0o777 for path in made} == {0o666 & ~around.umask}
    return {path.name: path.read_bytes() for path in made if path.name not in ("report.json", "report.html")}


def environment(here: Path, mark: Path, around: Surroundings) -> dict[str, str]:
    path = SYSTEM_PATH
    if around.activated:
        path = f"{BIN}:{path}"
    if around.programs:
        programs = here / "programs"
        programs.mkdir()
        for name in ("onnxsim", "flatc", "curl", "nvidia-smi"):
            (programs / name).write_text(f"#!/bin/sh\necho {name} >> '{mark}'\n")
            (programs / name).chmod(0o755)
        path = f"{programs}:{path}"
    if around.settings:
        settings = {"floatx": "float16", "epsilon": 1.0, "image_data_format": "channels_first"}
        (here / "home" / ".keras" / "keras.json").write_text(json.dumps(settings))
        (here / "home" / ".keras").chmod(0o500)
    own = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}  # of a suite run from elsewhere
    return {**own, "PATH": path, "HOME": str(here / "home"), **around.variables}


def hold_to_the_same(found: Mapping[str, bytes], expected: Mapping[str, bytes]) -> None:
    assert found.keys() == expected.keys()
    assert [name for name, data in found.items() if data != expected[name]] == []


@pytest.mark.slow
@pytest.mark.parametrize("network", ["stem_and_unpool", "demo"])
def test_files_are_the_same_with_everything_around_that_a_tool_could_pick_up(
    network: str, folder: Path, alone: dict[str, dict[str, bytes]]
) -> None:
    expected = files_alone(network, folder, alone)
    assert len([name for name in expected if name.endswith((".onnx", ".tflite"))]) == 3
    hold_to_the_same(export(network, folder, folder / ELSEWHERE / network, EVERYTHING), expected)
    for name, data in expected.items():
        for place in (folder, Path(segexport.__file__).parent, Path(torch.__file__).parent):
            assert os.fsencode(place) not in data, f"{name} tells where it was made"


@pytest.mark.full
@pytest.mark.parametrize("network", ["stem", "unpool"])
@pytest.mark.parametrize("around", ONE_BY_ONE)
def test_files_are_the_same_with_each_of_it_alone(
    around: str, network: str, folder: Path, alone: dict[str, dict[str, bytes]]
) -> None:
    found = export(network, folder, folder / ELSEWHERE / around / network, ONE_BY_ONE[around])
    hold_to_the_same(found, files_alone(network, folder, alone))


TELL = """
from segexport.process.worker import serve
def work(job, say):
    import sys
    import numpy, segexport.tflite.graph
    return {"package": segexport.__file__, "numpy": numpy.__file__, "prefix": sys.prefix, "path": sys.path}
serve(work)
"""


def test_a_child_finds_the_tools_and_the_package_where_its_parent_found_them(tmp_path: Path) -> None:
    """A checkout in an odd place, found through PYTHONPATH, and an environment without packages, in an odd place too."""
    root, bare = tmp_path / "Kopie ş 1", tmp_path / "Umgebung 影"
    shutil.copytree(Path(segexport.__file__).parent, root / "segexport", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "numpy.py").write_text("raise ImportError('next to the package')")
    venv.create(bare, with_pip=False)
    (tmp_path / "tell.py").write_text(TELL)
    program = (
        "import json, sys\nfrom pathlib import Path\nfrom segexport.process.child import Child\n"
        "with Child(Path('tell.py').absolute(), Path.cwd(), limit_s=120, packages=('flatbuffers',)) as child:\n"
        "    child.begin({})\n    print(json.dumps(child.result(print)))"
    )
    packages = find_tools("flatbuffers", "numpy")
    variables = {"PYTHONPATH": os.pathsep.join(map(str, (root, *packages))), "PATH": SYSTEM_PATH}
    ran = subprocess.run(
        [str(bare / "bin" / "python"), "-c", program],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["package"] == str(root / "segexport" / "__init__.py")
    assert Path(told["numpy"]).parents[1] in packages
    assert told["prefix"] == str(bare)
    assert str(root) not in told["path"]


def test_a_child_with_another_interpreter_has_that_ones_packages_and_this_package(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    venv.create(bare, with_pip=False)
    worker = tmp_path / "tell.py"
    worker.write_text(
        TELL.replace("import numpy, segexport.tflite.graph", "import segexport.errors").replace(
            "numpy.__file__", "None"
        )
    )
    with Child(worker, tmp_path, limit_s=120, interpreter=str(bare / "bin" / "python")) as child:
        child.begin({})
        told = child.result(print)
    assert told["prefix"] == str(bare)
    assert told["package"] == segexport.__file__
    assert not {str(folder) for folder in find_tools("numpy")} & set(told["path"])
