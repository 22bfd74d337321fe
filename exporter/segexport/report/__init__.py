"""What an export did: as data, and as a page."""
