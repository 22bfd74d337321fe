"""Networks of other people's libraries through every converter: `make zoo`, docs/networks.md."""
