"""Export the bundled checkpoint anew and put the three small files where the runtime's package keeps them.

python examples/bundle.py --calibration PICTURES
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from segruntime.segmenter import BUNDLED, MODELS, WITHOUT_INT8

CHECKPOINT = Path(__file__).parent / "mobile_unet.pth"
LARGEST_TOGETHER = 3_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calibration", type=Path, required=True, help="a folder of pictures of people")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        words = ["tflite", str(CHECKPOINT), "--calibration", str(args.calibration)]
        words += ["--precision", "float16,int8", "--pictures", "200"]
        subprocess.run([sys.executable, "-m", "segexport", *words, "--output", folder], check=True)
        sizes = {path.name: (Path(folder) / path.name).stat().st_size for path in (*BUNDLED.values(), WITHOUT_INT8)}
        if sum(sizes.values()) > LARGEST_TOGETHER:
            raise SystemExit(f"{sizes} are more than {LARGEST_TOGETHER} bytes together")
        for name in sizes:
            shutil.copy(Path(folder) / name, MODELS / name)
    print(sizes)


if __name__ == "__main__":
    main()
