"""What is exported, made deployable: RGB 0..1 in, person probability out."""
