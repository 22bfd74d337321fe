"""Deployable graph → model files, each converter in a child process of its own."""
