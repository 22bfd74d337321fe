"""A .tflite, operator by operator."""
