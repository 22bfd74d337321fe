"""What `segrun` says to people: lines on standard error."""

from __future__ import annotations

import click


def say(text: str) -> None:
    """One line, with the program's name."""
    click.echo(f"segrun: {' '.join(text.split())}", err=True)
