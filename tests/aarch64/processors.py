"""The processors that are played, and `/proc/cpuinfo` as a Raspberry Pi's kernel writes it.

qemu-user shows programs the host's file, that of an x86 processor. LiteRT from 2.2 on and onnxruntime 1.32 read it to choose
their kernels, and crash.
"""

from __future__ import annotations

from dataclasses import dataclass

# MIDR_EL1's fields and the features, as the kernel of a Pi 5 (BCM2712) and of a Pi 4 (BCM2711) prints them
_CPUINFO = """processor\t: {index}
BogoMIPS\t: 108.00
Features\t: {features}
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: {variant:#x}
CPU part\t: {part:#x}
CPU revision\t: {revision}

"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """`emulated`: qemu's name of it, None for the machine's own. The rest is what `/proc/cpuinfo` says."""

    name: str
    emulated: str | None = None
    variant: int = 0
    part: int = 0
    revision: int = 0
    features: str = ""

    def cpuinfo(self, cores: int) -> str:
        """The file's content for so many cores."""
        fields = {"variant": self.variant, "part": self.part, "revision": self.revision, "features": self.features}
        return "".join(_CPUINFO.format(index=index, **fields) for index in range(cores))


NATIVE = Processor(name="x86-64")
PI_5 = Processor(
    name="Cortex-A76 (Pi 5)",
    emulated="cortex-a76",
    variant=4,
    part=0xD0B,
    revision=1,
    features="fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp",
)
PI_4 = Processor(
    name="Cortex-A72 (Pi 4)",
    emulated="cortex-a72",
    variant=0,
    part=0xD08,
    revision=3,
    features="fp asimd evtstrm crc32 cpuid",
)
