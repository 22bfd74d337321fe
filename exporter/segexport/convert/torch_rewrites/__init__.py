"""Operators that no converter takes, in a form that every converter takes: one rewrite, one file, one contract."""
