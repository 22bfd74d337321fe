"""A video file or stream, in and out: its frames, its sound, its times."""
