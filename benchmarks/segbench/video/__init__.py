"""How steady masks are over a clip."""
