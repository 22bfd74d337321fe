"""A network rebuilt from the graph that a `.pt2` carries."""
