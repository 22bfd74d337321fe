"""The person over another background."""
