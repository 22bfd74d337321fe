"""Which libraries a command of segexport loads, in a process of its own."""

from __future__ import annotations

import subprocess
import sys


def run_and_list(words: list[str], *libraries: str) -> tuple[str, list[str]]:
    """What `segexport WORDS` prints on standard output, and those of `libraries` that it has loaded by its end."""
    script = (
        f"import sys; sys.argv = {['segexport', *words]!r}\n"
        "from segexport.cli import main; main()\n"
        f"sys.stderr.write('loaded: ' + ' '.join(sorted({set(libraries)!r} & sys.modules.keys())))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said, _, loaded = done.stderr.splitlines()[-1].partition("loaded:")
    assert said == ""
    return done.stdout, loaded.split()
