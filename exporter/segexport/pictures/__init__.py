"""Pictures: the calibration folder and what is wrong with it, hand-made masks, drawn ones."""
