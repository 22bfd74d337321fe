"""From raw values to figures, and how well those are known."""
