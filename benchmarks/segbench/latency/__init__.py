"""Latency: which configurations, how much of each, and the measurement itself."""
