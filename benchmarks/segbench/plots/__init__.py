"""Results as pictures. Each plot is data until it is drawn, so that nothing here needs matplotlib to be imported."""

from segbench.plots.canvas import SUFFIXES, Plot, check_plot, picture, require_matplotlib, write_plot

__all__ = ["SUFFIXES", "Plot", "check_plot", "picture", "require_matplotlib", "write_plot"]
