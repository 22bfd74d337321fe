"""PyTorch → ONNX, or a program of torch.export."""
