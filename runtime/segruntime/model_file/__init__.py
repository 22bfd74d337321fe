"""All that a model file carries next to its network, and the checks before it is opened."""
