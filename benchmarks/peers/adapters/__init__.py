"""One file for each library: what serves it to `peers.serve`, run in that library's own environment."""
