"""Sentences that more than one test looks for, or what tells them from all others; by package.

What a single test looks for stands in that test. None has a character that means something in a regular expression, so
that each serves `in` and `match` alike.
"""

from __future__ import annotations

# segruntime
NOTHING_THERE = "found nothing there, expected"
NO_PICTURE_IN_IT = "no picture in it"
SAME_MASK = "same mask as where it was made"
OTHER_MASK = "not the mask that it gave where it was made: IoU 0"
CLAIMS_TO_END = "claims to end at"
CANNOT_BE_DECODED = "cannot be decoded"
NO_NUMBER_HERE = "is not a number here"
THREADS = "expected a whole number from 1 to 256"
THE_INPUT_ITSELF = "is the input itself"
ENDS_EARLY = "the input ends early"
UNPLUGGED = "camera 0 gives no more pictures; was it unplugged"
ARRAY = "expected a numpy array"

# segexport
OWN_CLASS = "--arch package.module:factory"
NOTHING_LEFT = "nothing unfinished was left behind"
INTERRUPTED = f"segexport: interrupted; {NOTHING_LEFT}"
ALREADY_THERE = "is already there; nothing was changed. Give --overwrite"
MORE_TIME = "stopped; give more time with --timeout SECONDS"
OTHER_THAN_PYTORCH = "does not give PyTorch's mask"
NO_REPORT = "cannot be read as a report of version 1"
NO_REFERENCE = "reference masks cannot be read"
NO_KNOWN_NETWORK = "no known network fits"
MULTIPLES_OF_32 = "multiples of 32 pixels each way, got"
IN_TRAINING_MODE = "The module was saved in training mode; it is used as in evaluation mode."
NOT_IN_THE_FOLDER = "not shown: the file is not in the folder"
NOTHING_COULD_BE_RUN = "No file could be run here"
SIGNAL_11 = "ended with signal 11"
KEYS_LEFT_OUT = "keys next to the network were left out:"
ASSUMING_IMAGENET = "a checkpoint does not say how it was trained: assuming --preprocess imagenet"

# segbench
EDITED = "was edited after it was written"
NO_JSON = "is no JSON that segbench writes"
A_FOLDER_HAS_IT = "a folder has that name"
NO_ORDINARY_FILE = "no ordinary file has that name"
GONE_IS_NO_FOLDER = "gone is no folder"
SIDES = "expected sides from 16 to 8192"
TOO_FEW_PROCESSES = "too few processes to tell"
UNTIL_THEN = "segbench: interrupted; what follows was measured until then, in 1 process"
NOT_EVEN_ONE = "segbench: interrupted; nothing had been measured"
