"""Networks that are rebuilt from a checkpoint's keys and shapes; none of the checkpoint's code is needed or run."""

from __future__ import annotations

from segexport.networks.families.bisenetv2 import plan_bisenetv2
from segexport.networks.families.deeplabv3 import plan_deeplabv3
from segexport.networks.families.deeplabv3_custom import plan_deeplabv3_custom
from segexport.networks.families.extremec3 import plan_extremec3
from segexport.networks.families.fast_scnn import plan_fast_scnn
from segexport.networks.families.fcn import plan_fcn
from segexport.networks.families.lraspp import plan_lraspp
from segexport.networks.families.mobile_unet import plan_mobile_unet
from segexport.networks.families.modnet import plan_modnet
from segexport.networks.families.segnet import plan_segnet
from segexport.networks.families.segresnet import plan_segresnet
from segexport.networks.families.sinet import plan_sinet
from segexport.networks.families.u2net import plan_u2net
from segexport.networks.families.unet import plan_unet
from segexport.networks.families.unet_milesial import plan_unet_milesial
from segexport.networks.network import Architecture, Network
from segexport.networks.smp.deeplabv3plus import plan_smp_deeplabv3plus
from segexport.networks.smp.relatives import explain_smp
from segexport.networks.smp.unet import plan_smp_unet

__all__ = ["ARCHITECTURES", "Architecture", "Network"]

SMP = ("segmentation_head.", "decoder.blocks.", "decoder.aspp.")

ARCHITECTURES: dict[str, Architecture] = {
    "unet": Architecture(
        name="unet",
        summary="U-Net with batch norm, any widths",
        plan=plan_unet,
        witnesses=("downs.", "ups.", "bottle_neck."),
    ),
    "deeplabv3_torchvision": Architecture(
        name="deeplabv3_torchvision",
        summary="torchvision's DeepLabV3: ResNet-50, ResNet-101 or MobileNetV3-Large",
        plan=plan_deeplabv3,
        witnesses=("classifier.0.convs.", "classifier.0.project."),
    ),
    "deeplabv3_custom": Architecture(
        name="deeplabv3_custom",
        summary="DeepLabV3-like class with chained dilations, 224x224",
        plan=plan_deeplabv3_custom,
        witnesses=("resnet_4.", "aspp_", "low_level_"),
    ),
    "segnet": Architecture(
        name="segnet",
        summary="SegNet on VGG16 with batch norm, any widths",
        plan=plan_segnet,
        witnesses=("stage1_encoder.", "stage1_decoder."),
    ),
    "segresnet": Architecture(
        name="segresnet",
        summary="SegNet on ResNet-50 or deeper, with a mirrored decoder",
        plan=plan_segresnet,
        witnesses=("first_conv.", "last_conv."),
    ),
    "fcn_torchvision": Architecture(
        name="fcn_torchvision",
        summary="torchvision's FCN: ResNet-50 or ResNet-101",
        plan=plan_fcn,
        witnesses=("classifier.0.weight", "classifier.1.running_mean"),
    ),
    "lraspp_torchvision": Architecture(
        name="lraspp_torchvision",
        summary="torchvision's LR-ASPP: MobileNetV3-Large",
        plan=plan_lraspp,
        witnesses=("classifier.cbr.", "classifier.low_classifier."),
    ),
    "smp_unet": Architecture(
        name="smp_unet",
        summary="segmentation_models_pytorch's Unet: ResNet-18 to 152 or MobileNetV2",
        plan=plan_smp_unet,
        witnesses=SMP,
        explain=explain_smp,
    ),
    "smp_deeplabv3plus": Architecture(
        name="smp_deeplabv3plus",
        summary="segmentation_models_pytorch's DeepLabV3Plus: ResNet-18 to 152 or MobileNetV2",
        plan=plan_smp_deeplabv3plus,
        witnesses=SMP,
        explain=explain_smp,
    ),
    "unet_milesial": Architecture(
        name="unet_milesial",
        summary="milesial's U-Net, bilinear or transposed upsampling, any widths",
        plan=plan_unet_milesial,
        witnesses=("inc.double_conv.", "down1.maxpool_conv.", "outc.conv."),
    ),
    "modnet": Architecture(
        name="modnet",
        summary="MODNet on MobileNetV2",
        plan=plan_modnet,
        witnesses=("lr_branch.", "hr_branch.", "f_branch."),
    ),
    "sinet": Architecture(
        name="sinet",
        summary="SINet of clovaai's ext_portrait_segmentation",
        plan=plan_sinet,
        witnesses=("encoder.BR2.", "encoder.BR3.", "level2_C."),
    ),
    "extremec3": Architecture(
        name="extremec3",
        summary="ExtremeC3 of clovaai's ext_portrait_segmentation",
        plan=plan_extremec3,
        witnesses=("encoder.b1.", "encoder.b2.", "Fine."),
    ),
    "fast_scnn": Architecture(
        name="fast_scnn",
        summary="Fast-SCNN as Tramac's repository names its layers",
        plan=plan_fast_scnn,
        witnesses=("learning_to_downsample.conv.", "global_feature_extractor.bottleneck"),
    ),
    "bisenetv2": Architecture(
        name="bisenetv2",
        summary="CoinCheung's BiSeNetV2, three versions of its head",
        plan=plan_bisenetv2,
        witnesses=("detail.S1.", "segment.S1S2.", "bga."),
    ),
    "u2net": Architecture(
        name="u2net",
        summary="U²-Net: U2NETP, U2NET or any widths",
        plan=plan_u2net,
        witnesses=("stage1.rebnconv", "stage1d.rebnconv", "side1."),
    ),
    "mobile_unet": Architecture(
        name="mobile_unet",
        summary="MobileUNet, which examples/train.py trains, any widths",
        plan=plan_mobile_unet,
        witnesses=("stages.0.0.expand.", "narrow.", "blend."),
    ),
}
