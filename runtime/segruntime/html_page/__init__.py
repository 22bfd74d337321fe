"""Reports as one HTML file that asks nothing of any other: the layout and macros that both packages' pages are made of."""
