"""Where a model's time goes: per operator, per kind of operator, and per part that runs by itself."""
