"""The int8 family: integers out of the float32 file."""
