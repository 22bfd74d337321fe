"""How fast it still is after minutes."""
