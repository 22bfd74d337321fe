"""What a file says of itself: contract, labels, metadata, golden pictures."""
