"""Write the golden files of the families that are known by their keys: what the originals give for the lively weights.

    cd FOLDER && for name in milesial/Pytorch-UNet ZHKKKe/MODNet clovaai/ext_portrait_segmentation \
        Tramac/Fast-SCNN-pytorch CoinCheung/BiSeNet xuebinqin/U-2-Net; do git clone https://github.com/$name; done
    python tests/exporter/golden/make_families_golden.py FOLDER

Any PyTorch will do; no weights are fetched. The originals' code is run by this script alone, at the commits named here.
"""

from __future__ import annotations

import importlib
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from measure import measure, write
from torch import Tensor, nn

FOLDER = Path(sys.argv[1])
UNET = ("Pytorch-UNet", "21d7850f2af30a9695bbeea75f3136aa538cfc4a", "unet/unet_model.py")
MODNET = ("MODNet", "28165a451e4610c9d77cfdf925a94610bb2810fb", "src/models/modnet.py")
SINET = ("ext_portrait_segmentation", "9bc1bada1cb7bd17a3a80a2964980f4b4befef5b", "models/SINet.py")
EXTREMEC3 = (*SINET[:2], "models/extremeC3.py")
FAST_SCNN = ("Fast-SCNN-pytorch", "0638517d359ae1664a27dfb2cd1780a40a06c465", "models/fast_scnn.py")
BISENET = ("BiSeNet", "6b4b67a8e3eb0cc23b3d7a94843a7c3c11dedca8", "lib/models/bisenetv2.py")
BISENET_SHUFFLE = ("BiSeNet", "c6d7405", BISENET[2])
BISENET_2020 = ("BiSeNet", "0471e80", BISENET[2])
U2NET = ("U-2-Net", "ac7e1c817ecab7c7dff5ce6b1abba61cd213ff29", "model/u2net.py")


class BeforeSigmoid(nn.Module):
    """What a layer gives, where the network's own sigmoid comes next; its keys are the network's."""

    def __init__(self, model: nn.Module, layer: str, call: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.model, self.call = model, call
        model.get_submodule(layer).register_forward_hook(self.keep)
        self.kept: list[Tensor] = []

    def keep(self, _: nn.Module, __: Any, out: Tensor) -> None:
        self.kept.append(out)

    def state_dict(self, *args: Any, **named: Any) -> Any:
        return self.model.state_dict(*args, **named)

    def load_state_dict(self, *args: Any, **named: Any) -> Any:
        return self.model.load_state_dict(*args, **named)

    def forward(self, x: Tensor) -> Tensor:
        probability = self.call(self.model, x)
        if not torch.equal(probability, self.kept[-1].sigmoid()):
            raise SystemExit("the layer's output through a sigmoid is not what the network gives")
        return self.kept[-1]


def original(source: tuple[str, str, str]) -> ModuleType:
    """The module at a path of a repository, as it was at a commit; without its package's `__init__`, which imports the rest."""
    name, commit, path = source
    folder = Path(tempfile.mkdtemp())
    top = path.split("/", 1)[0]
    git = [shutil.which("git") or "git", "-C", str(FOLDER / name), "archive", "--format=tar", commit, top]
    packed = subprocess.run(git, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    (folder / path).with_name("__init__.py").unlink(missing_ok=True)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    for known in [known for known in sys.modules if known.partition(".")[0] == top]:
        del sys.modules[known]
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    sys.path.remove(str(folder))
    return module


def unet(classes: int, bilinear: bool) -> nn.Module:
    model: nn.Module = original(UNET).UNet(3, classes, bilinear)
    return model


def modnet() -> nn.Module:
    model = original(MODNET).MODNet(backbone_pretrained=False)
    return BeforeSigmoid(model, "f_branch.conv_f", lambda network, x: network(x, True)[2])


def sinet(classes: int) -> nn.Module:
    model: nn.Module = original(SINET).Dnc_SINet(classes=classes, p=2, q=8, chnn=1)
    return model


def extremec3(classes: int) -> nn.Module:
    model: nn.Module = original(EXTREMEC3).Stage2_ExtremeC3Net(classes=classes, p=1, q=5)
    return model


def fast_scnn(classes: int, aux: bool) -> nn.Module:
    model: nn.Module = original(FAST_SCNN).FastSCNN(classes, aux=aux)
    return model


def bisenetv2(source: tuple[str, str, str], classes: int, **mode: str) -> nn.Module:
    factory = original(source).BiSeNetV2
    factory.load_pretrain = lambda _: None  # it would fetch weights
    model: nn.Module = factory(classes, **mode)
    return model


def u2net(kind: str) -> nn.Module:
    return BeforeSigmoid(getattr(original(U2NET), kind)(3, 1), "outconv", lambda network, x: network(x)[0])


def first(out: Any) -> Any:
    return out if isinstance(out, Tensor) else out[0]


# path: what makes the original, its source, (height, width)
CASES: dict[str, tuple[Callable[[], nn.Module], tuple[str, str, str], tuple[int, int]]] = {
    "unet_milesial/transposed_2": (lambda: unet(2, False), UNET, (48, 64)),
    "unet_milesial/bilinear_1": (lambda: unet(1, True), UNET, (43, 58)),
    "modnet/mobilenetv2": (modnet, MODNET, (64, 96)),
    "sinet/classes_2": (lambda: sinet(2), SINET, (96, 64)),
    "sinet/classes_1": (lambda: sinet(1), SINET, (64, 96)),
    "extremec3/classes_1": (lambda: extremec3(1), EXTREMEC3, (64, 92)),
    "extremec3/classes_2": (lambda: extremec3(2), EXTREMEC3, (92, 64)),
    "fast_scnn/aux_19": (lambda: fast_scnn(19, True), FAST_SCNN, (192, 256)),
    "fast_scnn/classes_2": (lambda: fast_scnn(2, False), FAST_SCNN, (224, 96)),
    "bisenetv2/training_19": (lambda: bisenetv2(BISENET, 19, aux_mode="train"), BISENET, (96, 64)),
    "bisenetv2/classes_2": (lambda: bisenetv2(BISENET, 2, aux_mode="eval"), BISENET, (64, 96)),
    "bisenetv2/shuffle_2": (lambda: bisenetv2(BISENET_SHUFFLE, 2, aux_mode="train"), BISENET_SHUFFLE, (64, 96)),
    "bisenetv2/2020_2": (lambda: bisenetv2(BISENET_2020, 2), BISENET_2020, (64, 96)),
    "u2net/small": (lambda: u2net("U2NETP"), U2NET, (75, 64)),
    "u2net/full": (lambda: u2net("U2NET"), U2NET, (64, 64)),
}


def main() -> None:
    for path, (make, (name, commit, file), size) in CASES.items():
        about = {"source": f"{name} {commit[:7]} {file}", "input_size": size, "versions": {"torch": torch.__version__}}
        write(path, about | measure(path.rpartition("/")[2], make(), size, first))


if __name__ == "__main__":
    main()
