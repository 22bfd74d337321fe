"""How exact masks are."""
