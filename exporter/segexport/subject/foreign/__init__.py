"""A foreign .onnx as input."""
