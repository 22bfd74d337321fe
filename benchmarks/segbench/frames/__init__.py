"""The frames that are measured."""
