"""The commands of `segexport`, one file each."""
