"""Families of networks, a file each, with what several of them are made of."""
