"""What the numbers were made on."""
