"""Networks that are rebuilt from a checkpoint's keys and shapes; none of the checkpoint's code is needed or run."""

from __future__ import annotations

from segexport.networks.deeplabv3 import plan_deeplabv3
from segexport.networks.deeplabv3_custom import plan_deeplabv3_custom
from segexport.networks.network import Architecture, Network
from segexport.networks.segnet import plan_segnet
from segexport.networks.segresnet import plan_segresnet
from segexport.networks.unet import plan_unet

__all__ = ["ARCHITECTURES", "Architecture", "Network"]

ARCHITECTURES: dict[str, Architecture] = {
    "unet": Architecture(
        name="unet",
        summary="U-Net with batch norm, any widths",
        plan=plan_unet,
    ),
    "deeplabv3_torchvision": Architecture(
        name="deeplabv3_torchvision",
        summary="torchvision's DeepLabV3: ResNet-50, ResNet-101 or MobileNetV3-Large",
        plan=plan_deeplabv3,
    ),
    "deeplabv3_custom": Architecture(
        name="deeplabv3_custom",
        summary="DeepLabV3-like class with chained dilations, 224x224",
        plan=plan_deeplabv3_custom,
    ),
    "segnet": Architecture(
        name="segnet",
        summary="SegNet on VGG16 with batch norm, any widths",
        plan=plan_segnet,
    ),
    "segresnet": Architecture(
        name="segresnet",
        summary="SegNet on ResNet-50 or deeper, with a mirrored decoder",
        plan=plan_segresnet,
    ),
}
