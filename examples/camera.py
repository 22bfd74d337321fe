"""Camera → another background → a window, or a video file where `--output` names one. Ends with q or Ctrl-C.

python examples/camera.py --background beach.jpg
python examples/camera.py --camera /dev/video2 --output me.mp4      # no screen needed; any stream that OpenCV opens
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

import cv2
import numpy as np

import segruntime
from segruntime.compositing.composite import cover


def no_screen() -> bool:
    """OpenCV's window ends the whole process where there is none, so it is asked for before."""
    return sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--camera", default="0", help="number, device, file or address (default: 0)")
    parser.add_argument("--background", help="a picture (default: green)")
    parser.add_argument("--output", help="a video file, .mp4 or .avi (default: a window)")
    args = parser.parse_args(arguments)
    log: Any = getattr(cv2.utils, "logging", cv2)  # where OpenCV 5 has it, and OpenCV 4
    log.setLogLevel(0)  # what is wrong is said below, in one line
    scene = cv2.imread(args.background) if args.background else np.full((1, 1, 3), (0, 160, 0))
    if scene is None:
        raise SystemExit(f"{args.background}: no picture that OpenCV can read")
    if not args.output and no_screen():
        raise SystemExit("no screen here to show a window on; write a file: --output me.mp4")
    capture = cv2.VideoCapture(int(args.camera) if args.camera.isdecimal() else args.camera)
    if not capture.isOpened():
        raise SystemExit(f"camera {args.camera}: cannot be opened; is it plugged in, and does no other program use it?")
    segmenter, writer, alpha, count = segruntime.load(), cv2.VideoWriter(), None, 0
    try:
        while (frame := capture.read()[1]) is not None:
            height, width = frame.shape[:2]
            if alpha is None:  # once, for all frames
                alpha = np.empty((height, width), np.float32)
                background = cover(np.asarray(scene, np.uint8), height, width)
            picture = np.asarray(frame, np.uint8)
            segruntime.composite(picture, segmenter.alpha(picture, out=alpha), background, out=picture)
            if not args.output:
                cv2.imshow("q ends", picture)
                if cv2.waitKey(1) & 0xFF == ord("q"):
                    break
            elif writer.isOpened() or writer.open(args.output, writer.fourcc(*"mp4v"), 25, (width, height)):
                writer.write(picture)
            else:
                raise SystemExit(f"{args.output}: cannot be written; is the folder there, is it .mp4 or .avi?")
            count += 1
    except KeyboardInterrupt:
        pass
    finally:
        capture.release()
        writer.release()  # without it the file does not play
    print(f"{count} frames")


if __name__ == "__main__":
    main()
