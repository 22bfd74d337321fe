"""The colours of all plots, by which names the page of `segbench report` knows them: there they change in the dark."""

from __future__ import annotations

INK, SOFT, RULE = "#1d1d1b", "#5c5c56", "#dcdcd5"
BLUE, ORANGE, GREEN, PINK, OCHRE, GREY = "#0072b2", "#b84a00", "#00795a", "#a3428a", "#7a5c00", "#4d4d4d"
SERIES = (BLUE, ORANGE, GREEN, PINK, OCHRE, GREY)
HELD = "#e5a49b"  # the ground behind minutes in which the clock was held down

# colour → the page's name for it, in segruntime/html_page/layout.css; no two may be equal, or it could not tell them apart
PAGE_NAMES = {
    INK: "--ink",
    SOFT: "--soft",
    RULE: "--rule",
    **{colour: f"--s{k}" for k, colour in enumerate(SERIES)},
    HELD: "--held",
}


def verdict_colour(verdict: str) -> str:
    """Blue for values that are steady, grey for too few to tell, orange for the others."""
    return {"steady": BLUE, "too few values": GREY}.get(verdict, ORANGE)
