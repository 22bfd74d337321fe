"""ONNX graphs that converters take and get right: one rewrite, one file, one contract."""
