"""What comes and goes in its own time: a camera, a virtual camera, a window."""
