"""A fresh process for each measurement."""
