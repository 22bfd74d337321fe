"""All that a model file carries beside its network, and the checks before it is opened."""
