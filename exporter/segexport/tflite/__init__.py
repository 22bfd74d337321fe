"""A finished .tflite, whichever converter made it."""
