"""How well masks agree, and how steady they are."""
