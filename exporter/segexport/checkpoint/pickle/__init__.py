"""A pickle read without running anything in it."""
