"""The vectors through the core built for 64-bit Arm, under qemu, with LiteRT of the wheel for it: `make native-aarch64`.

Not a test that pytest collects, for it needs Debian's cross compiler and qemu, and fetches the wheel: 17 MB, once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
from tests.aarch64.processors import PI_5
from tests.native.ported import Frame, check, made_vectors, read, stream_of

from segruntime import composite

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "runtime" / "native" / "build" / "aarch64"
SYSROOT = Path("/usr/aarch64-linux-gnu")
FILES = ("mobile_unet_int8.tflite", "mobile_unet_float16.tflite")


def litert() -> Path:
    """LiteRT's library of the version that is installed here."""
    library = BUILD / "libLiteRt.so"
    if not library.is_file():
        wanted = f"ai-edge-litert=={version('ai-edge-litert')}"
        words = ["--no-deps", "--only-binary", ":all:", "--platform", "manylinux_2_27_aarch64", wanted]
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "-d", str(BUILD), *words], check=True)
        (wheel,) = BUILD.glob("ai_edge_litert-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            library.write_bytes(archive.read("ai_edge_litert/libLiteRt.so"))
        wheel.unlink()
    return library


def root() -> Path:
    """What the emulated program takes for the machine: Debian's libraries for Arm, and a Pi 5's cpuinfo, which LiteRT reads."""
    folder = BUILD / "root"
    (folder / "proc").mkdir(parents=True, exist_ok=True)
    (folder / "proc" / "cpuinfo").write_text(PI_5.cpuinfo(1), "ascii")
    if not (folder / "lib").is_symlink():
        (folder / "lib").symlink_to(SYSROOT / "lib")
    return folder


def composited(model: Frame, vectors: Path, port: Path) -> Iterator[tuple[str, Path, np.ndarray]]:
    """Composites of every frame with any alpha, over green and over a smaller picture: command, file, what is to be in it."""
    small = port / "small.rgb"
    small.parent.mkdir(parents=True, exist_ok=True)
    picture = np.random.default_rng(3).integers(0, 256, (24, 40, 3), np.uint8)
    small.write_bytes(picture.tobytes())
    for number, entry in enumerate(model["frames"]):
        frame = read(vectors, entry["arrays"]["frame"])
        height, width = frame.shape[:2]
        alpha, path = np.arange(height * width).astype(np.uint8).reshape(height, width), port / f"alpha_{number}"
        path.write_bytes(alpha.tobytes())
        backgrounds = {"": (0, 255, 0), **({f" 40 24 {small}": picture} if height >= 24 and width >= 40 else {})}
        for words, background in backgrounds.items():
            out = port / f"composite_{number}_{len(words)}"
            files = f"{vectors / entry['arrays']['frame']['file']} {path} {out}"
            yield f"composite {width} {height} {files}{words}", out, composite(frame, alpha, background)


def main() -> None:
    qemu = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if not qemu:
        sys.exit("native-aarch64: needs qemu-aarch64, found none; install qemu-user-static")
    environment = {
        **os.environ,
        "QEMU_LD_PREFIX": str(root()),
        "QEMU_CPU": PI_5.emulated or "max",
        "SEGEDGE_LITERT": str(litert()),
    }
    for file in FILES:
        with tempfile.TemporaryDirectory() as name:
            vectors, port = Path(name) / "vectors", Path(name) / "port"
            model = made_vectors(ROOT / "runtime" / "segruntime" / "models" / file, vectors)
            lines = ["test"]

            def places(frame: dict, *steps: str, port: Path = port) -> str:
                paths = [port / frame["arrays"][step]["file"] for step in steps]
                paths[0].parent.mkdir(parents=True, exist_ok=True)
                return " ".join(str(path) for path in paths)

            for frame in model["frames"]:
                picture = f"{frame['width']} {frame['height']} {vectors / frame['arrays']['frame']['file']}"
                lines.append(f"mask {picture} {places(frame, 'input', 'output', 'probability', 'alpha')}")
            for preset, frame in stream_of(model, lambda lines=lines: lines.append("reset")):
                picture = f"{frame['width']} {frame['height']} {vectors / frame['arrays']['frame']['file']}"
                lines.append(f"alpha {int(preset == 'balanced')} {picture} {places(frame, 'coarse', preset)}")
            composites = list(composited(model, vectors, port))
            lines += [line for line, _, _ in composites]
            command = [qemu, str(BUILD / "segedge_steps"), str(ROOT / "runtime" / "segruntime" / "models" / file)]
            ran = subprocess.run(
                command, input="\n".join(lines), env=environment, capture_output=True, text=True, check=False
            )
            assert ran.returncode == 0, ran.stderr
            sys.stdout.write(f"{file}: {ran.stdout}")
            # float kernels of another processor round otherwise; whole numbers do not
            check(model, vectors, port, network=0 if "int8" in file else 1e-5)
            for _, out, wanted in composites:
                assert (np.fromfile(out, np.uint8) == wanted.ravel()).all(), out.name
            sys.stdout.write(f"{file}: every step of the vectors is met, and {len(composites)} composites are equal\n")


if __name__ == "__main__":
    main()
