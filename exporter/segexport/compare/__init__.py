"""A model file's masks against PyTorch's; a new file runs in a child process first, where it may crash."""

from segexport.compare.comparison import LEAST_PICTURES, Comparison, FileMasks, compare, run_file
from segexport.compare.emptiness import emptiness
from segexport.compare.runner import Runner

__all__ = ["LEAST_PICTURES", "Comparison", "FileMasks", "Runner", "compare", "emptiness", "run_file"]
