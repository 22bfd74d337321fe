"""The callbacks in examples/, with the real library where it is installed, otherwise with a stand-in that calls them alike."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from segruntime import load, read_contract

Example = Callable[[str], ModuleType]
OPTIONS = {"size": 32, "preprocess": "unit", "precisions": [], "golden": "none", "pictures": 4, "quiet": True}

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")


def layers(outputs: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, outputs, 1))


def pictures() -> tuple[Tensor, Tensor]:
    """Eight pictures of noise, and which of their pixels are light: `(8, 3, 32, 32)` and `(8, 1, 32, 32) float32`."""
    images = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    return images, (images.mean(1, keepdim=True) > 0.5).float()


def alpha_of(path: Path) -> tuple[Any, Any]:
    """The file's mask of one picture, and what its contract says it is made of."""
    frame = (pictures()[0][0].permute(1, 2, 0).flip(2) * 255).round().to(torch.uint8).numpy()
    contract = read_contract(path)
    assert contract is not None
    return torch.from_numpy(load(path).alpha(frame)), contract.source


def bytes_of(images: Tensor) -> Tensor:
    return (images * 255).round() / 255


class LightningStandIn(ModuleType):
    """As much of Lightning as the example and its training use."""

    class Callback:
        pass

    class LightningModule(nn.Module):
        trainer: Any = None

    class Trainer:
        is_global_zero = True

        def __init__(self, *, callbacks: list[Any], max_epochs: int, **_: object) -> None:
            self.callbacks, self.epochs = callbacks, max_epochs

        def fit(self, module: Any, batches: Any) -> None:
            module.trainer, optimizer = self, module.configure_optimizers()
            for _ in range(self.epochs):
                for batch in batches:
                    optimizer.zero_grad()
                    module.training_step(batch, 0).backward()
                    optimizer.step()
            for callback in self.callbacks:
                callback.on_fit_end(self, module)


@pytest.fixture
def lightning(monkeypatch: pytest.MonkeyPatch) -> Any:
    if find_spec("lightning") is None:
        monkeypatch.setitem(sys.modules, "lightning", ModuleType("lightning"))
        monkeypatch.setitem(sys.modules, "lightning.pytorch", LightningStandIn("lightning.pytorch"))
    return import_module("lightning.pytorch")


def test_lightning_exports_when_the_fit_has_ended(
    lightning: Any, example: Example, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Net(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = layers(1)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.net(x)
            return y

        def training_step(self, batch: list[Tensor], index: int) -> Tensor:
            return F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), 0.1)

    callback = example("lightning_callback").ExportAtEnd(output=tmp_path / "out", **OPTIONS)
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = lightning.Trainer(max_epochs=2, accelerator="cpu", callbacks=[callback], **quiet)
    module = Net()
    trainer.fit(module, DataLoader(TensorDataset(*pictures()), batch_size=4))
    assert module.trainer is trainer
    alpha, source = alpha_of(tmp_path / "out" / "Net.onnx")
    with torch.no_grad():
        expected = module.eval()(bytes_of(pictures()[0][:1])).sigmoid()[0, 0]
    torch.testing.assert_close(alpha, expected, atol=1e-5, rtol=0)
    assert (source.checkpoint, source.parameters) == ("Net", sum(one.numel() for one in module.parameters()))
    assert "onnx" in capsys.readouterr().out


def test_lightning_exports_in_one_of_several_processes(lightning: Any, example: Example, tmp_path: Path) -> None:
    callback = example("lightning_callback").ExportAtEnd(output=tmp_path / "out", **OPTIONS)
    callback.on_fit_end(SimpleNamespace(is_global_zero=False), layers(1))
    assert not (tmp_path / "out").exists()


class TrainerStandIn:
    """Calls its callbacks as transformers' Trainer does when training ends."""

    def __init__(
        self, model: nn.Module, args: Any, *, train_dataset: list[dict[str, Tensor]], callbacks: list[Any]
    ) -> None:
        self.model, self.args, self.data, self.callbacks = model, args, train_dataset, callbacks

    def train(self) -> None:
        optimizer = torch.optim.Adam(self.model.parameters(), 0.1)
        self.model.train()
        for _ in range(4):
            optimizer.zero_grad()
            self.model(**{key: torch.stack([one[key] for one in self.data]) for key in self.data[0]})["loss"].backward()
            optimizer.step()
        state, control = SimpleNamespace(is_world_process_zero=True), SimpleNamespace()
        for callback in self.callbacks:
            callback.on_train_end(self.args, state, control, model=self.model, optimizer=optimizer, lr_scheduler=None)


@pytest.fixture
def transformers(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Only with accelerate it has a Trainer that trains."""
    if find_spec("transformers") is not None and find_spec("accelerate") is not None:
        return import_module("transformers")
    module = import_module("transformers") if find_spec("transformers") else ModuleType("transformers")
    if find_spec("transformers") is None:
        monkeypatch.setitem(sys.modules, "transformers", module)
        monkeypatch.setattr(module, "TrainerCallback", object, raising=False)
    return SimpleNamespace(Trainer=TrainerStandIn, TrainingArguments=SimpleNamespace)


class ForSemanticSegmentation(nn.Module):
    """Ends as transformers' networks do: a loss where labels are given, and logits at a quarter of the size."""

    def __init__(self) -> None:
        super().__init__()
        self.net = layers(2)

    def forward(self, pixel_values: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        logits = self.net(F.avg_pool2d(pixel_values, 4))
        if labels is None:
            return {"logits": logits}
        return {
            "loss": F.cross_entropy(F.interpolate(logits, labels.shape[1:], mode="bilinear"), labels),
            "logits": logits,
        }


def test_transformers_exports_when_training_has_ended(
    transformers: Any, example: Example, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    callback = example("trainer_callback").ExportAtEnd(output=tmp_path / "out", **OPTIONS)
    words = {"use_cpu": True, "report_to": [], "save_strategy": "no", "disable_tqdm": True, "max_steps": 4}
    data = [{"pixel_values": image, "labels": mask[0].long()} for image, mask in zip(*pictures(), strict=True)]
    model = ForSemanticSegmentation()
    arguments = transformers.TrainingArguments(output_dir=str(tmp_path / "runs"), learning_rate=0.1, **words)
    transformers.Trainer(model, arguments, train_dataset=data, callbacks=[callback]).train()
    assert model.training
    alpha, source = alpha_of(tmp_path / "out" / "ForSemanticSegmentation.onnx")
    with torch.no_grad():
        logits = model.eval()(bytes_of(pictures()[0][:1]))["logits"]
        expected = F.interpolate(logits, (32, 32), mode="bilinear").softmax(1)[0, 1]
    torch.testing.assert_close(alpha, expected, atol=1e-5, rtol=0)
    assert source.checkpoint == "ForSemanticSegmentation"
    assert "onnx" in capsys.readouterr().out


def test_transformers_exports_in_one_of_several_processes(transformers: Any, example: Example, tmp_path: Path) -> None:
    callback = example("trainer_callback").ExportAtEnd(output=tmp_path / "out", **OPTIONS)
    callback.on_train_end(None, SimpleNamespace(is_world_process_zero=False), None, model=layers(1))
    assert not (tmp_path / "out").exists()
