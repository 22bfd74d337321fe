"""Long work in units that can be done in any order, anywhere, and once: what is left, who does it, what is done."""
