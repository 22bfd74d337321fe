"""Export the demo checkpoint anew and put the two small files where the runtime's package keeps them.

python examples/bundle.py --calibration ../shared/data/portraits/training/images
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from segruntime.segmenter import BUNDLED, MODELS

CHECKPOINT = Path(__file__).parent / "portrait_unet.pth"
LARGEST_TOGETHER = 3_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calibration", type=Path, default=Path("../shared/data/portraits/training/images"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        words = ["tflite", str(CHECKPOINT), "--preprocess", "imagenet", "--calibration", str(args.calibration)]
        words += ["--precision", "float32,int8", "--pictures", "200"]
        subprocess.run([sys.executable, "-m", "segexport", *words, "--output", folder], check=True)
        sizes = {path.name: (Path(folder) / path.name).stat().st_size for path in BUNDLED.values()}
        if sum(sizes.values()) > LARGEST_TOGETHER:
            raise SystemExit(f"{sizes} are more than {LARGEST_TOGETHER} bytes together")
        for name in sizes:
            shutil.copy(Path(folder) / name, MODELS / name)
    print(sizes)


if __name__ == "__main__":
    main()
