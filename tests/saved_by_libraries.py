"""What two libraries leave after a training, small and with random weights: transformers' folder, Lightning's checkpoint.

python tests/saved_by_libraries.py FOLDER      # → FOLDER/segformer/, FOLDER/fpn.ckpt
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from segexport.networks.libraries.imports import library
from segexport.pictures.files import draw_pictures

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from zoo.lively import make_lively
from zoo.networks import Logits

SIZE = 64
NAMES = ("segformer", "fpn.ckpt")
MEAN, STD = (torch.tensor(values).view(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


def save_segformer(target: Path, pictures: torch.Tensor) -> None:
    """As transformers' `save_pretrained` writes it."""
    transformers: Any = library("transformers")
    config = transformers.SegformerConfig(
        hidden_sizes=[8, 16, 24, 32],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 4],
        decoder_hidden_size=32,
        id2label={0: "background", 1: "person"},
    )
    network = Logits(transformers.SegformerForSemanticSegmentation(config))
    make_lively(network, pictures, 2)
    network.network.save_pretrained(target)


def save_fpn(target: Path, pictures: torch.Tensor) -> None:
    """As Lightning's checkpoints hold a network of segmentation_models_pytorch in `self.model`."""
    smp: Any = library("segmentation_models_pytorch")
    settings = {"arch": "FPN", "encoder_name": "efficientnet-b0", "in_channels": 3, "out_classes": 1}
    network = smp.create_model("FPN", encoder_name="efficientnet-b0", encoder_weights=None, in_channels=3, classes=1)
    make_lively(network, pictures, 1)
    weights = {f"model.{key}": value for key, value in network.state_dict().items()}
    torch.save({"state_dict": weights, "hyper_parameters": settings, "pytorch-lightning_version": "2.6.0"}, target)


def main(folder: Path) -> None:
    torch.manual_seed(1)
    pixels = torch.from_numpy(np.stack(draw_pictures(12, size=SIZE, seed=3))[..., ::-1].copy())
    pictures = (pixels.permute(0, 3, 1, 2) / 255 - MEAN) / STD
    save_segformer(folder / NAMES[0], pictures)
    save_fpn(folder / NAMES[1], pictures)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
