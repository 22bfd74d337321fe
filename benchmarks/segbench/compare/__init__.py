"""Two results beside one another."""
