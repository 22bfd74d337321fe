"""Networks that are rebuilt from a checkpoint's keys and shapes; none of the checkpoint's code is needed or run."""

from __future__ import annotations

from segexport.networks.families.deeplabv3 import plan_deeplabv3
from segexport.networks.families.deeplabv3_custom import plan_deeplabv3_custom
from segexport.networks.families.fcn import plan_fcn
from segexport.networks.families.lraspp import plan_lraspp
from segexport.networks.families.segnet import plan_segnet
from segexport.networks.families.segresnet import plan_segresnet
from segexport.networks.families.unet import plan_unet
from segexport.networks.network import Architecture, Network
from segexport.networks.smp.deeplabv3plus import plan_smp_deeplabv3plus
from segexport.networks.smp.relatives import explain_smp
from segexport.networks.smp.unet import plan_smp_unet

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
    "fcn_torchvision": Architecture(
        name="fcn_torchvision",
        summary="torchvision's FCN: ResNet-50 or ResNet-101",
        plan=plan_fcn,
    ),
    "lraspp_torchvision": Architecture(
        name="lraspp_torchvision",
        summary="torchvision's LR-ASPP: MobileNetV3-Large",
        plan=plan_lraspp,
    ),
    "smp_unet": Architecture(
        name="smp_unet",
        summary="segmentation_models_pytorch's Unet: ResNet-18 to 152 or MobileNetV2",
        plan=plan_smp_unet,
        explain=explain_smp,
    ),
    "smp_deeplabv3plus": Architecture(
        name="smp_deeplabv3plus",
        summary="segmentation_models_pytorch's DeepLabV3Plus: ResNet-18 to 152 or MobileNetV2",
        plan=plan_smp_deeplabv3plus,
        explain=explain_smp,
    ),
}
