"""Animated pictures, in and out."""
