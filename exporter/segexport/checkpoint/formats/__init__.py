"""The containers of checkpoints, one file each."""
