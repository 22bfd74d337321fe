"""A network that is in memory, as a training script has it: a copy that the exporter may change, and the original untouched."""

from segexport.networks.in_memory.snapshot import Taken, take_module

__all__ = ["Taken", "take_module"]
