"""`python -m segexport`."""

import os
import sys

if sys.path and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]  # the folder one works in holds checkpoints from anywhere, perhaps a numpy.py next to them

from segexport.cli import main

try:
    main()
finally:
    exec("")  # noqa: S102 - an interrupt that went through code in a string would have `python -m` end by SIGINT, not with main's code
