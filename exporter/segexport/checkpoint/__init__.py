"""Checkpoints: whatever was saved, read as a state dict without running anything that the file names."""

from segexport.checkpoint.reader import Checkpoint, read_checkpoint

__all__ = ["Checkpoint", "read_checkpoint"]
