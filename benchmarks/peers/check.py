"""Masks and pictures of every peer, looked at in its first process before anything is timed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from peers.child import PeerProcess
from peers.errors import PeerError
from peers.found import Found
from peers.lineup import Peer, baseline_of
from peers.masks import Masks, check_masks, check_pictures, describe, enlarged

PICTURE_TASKS = ("composite", "cutout")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Frames `(n, H, W, 3) uint8, BGR` and a background of their size, as .npy files in `folder`, which others may fill too.

    `checked`: those of the frames that masks are compared on.
    """

    folder: Path
    frames: npt.NDArray[np.uint8]
    background: npt.NDArray[np.uint8]
    checked: npt.NDArray[np.int64]

    @property
    def frames_file(self) -> Path:
        return self.folder / "frames.npy"

    @property
    def background_file(self) -> Path:
        return self.folder / "background.npy"

    @property
    def size(self) -> tuple[int, int]:
        """`(H, W)`."""
        return self.frames.shape[1], self.frames.shape[2]


def save_pictures(
    folder: Path, frames: npt.NDArray[np.uint8], background: npt.NDArray[np.uint8], checked: int
) -> Pictures:
    """`checked`: how many frames masks are compared on, spread evenly."""
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(checked, len(frames))).astype(np.int64))
    pictures = Pictures(folder=folder, frames=frames, background=background, checked=chosen)
    np.save(pictures.frames_file, frames)
    np.save(pictures.background_file, background)
    return pictures


def check_peers(
    peers: Collection[Peer], running: Mapping[Peer, PeerProcess], pictures: Pictures, threads: int, found: Found
) -> None:
    """`found.masks` of those that run; one whose mask or picture is none fails, and is not timed."""
    ours: dict[Peer, Masks] = {}
    frames = pictures.frames[pictures.checked]
    for peer in sorted(running, key=lambda peer: not peer.baseline):
        baseline = baseline_of(peer, peers, threads)
        try:
            masks, seen = _masks(running[peer], peer.name, frames, pictures.folder)
            if peer.baseline:
                ours[peer] = masks
            of_seen = None
            if baseline not in ours:
                raise PeerError(f"{peer.name}: {baseline.title} gave no mask to compare with")
            if seen is not None:
                small, _ = _masks(running[baseline], baseline.name, seen, pictures.folder)
                of_seen = enlarged(small, pictures.size)
            found.masks[peer.name] = replace(
                describe(masks, ours[baseline], of_seen),
                picture_differences=_picture_differences(running[peer], peer, frames, masks, pictures),
            )
        except PeerError as error:
            found.fail(error, peer.name)


def _masks(
    process: PeerProcess, name: str, frames: npt.NDArray[np.uint8], folder: Path
) -> tuple[Masks, npt.NDArray[np.uint8] | None]:
    pictures, out, seen = folder / "pictures.npy", folder / "masks.npy", folder / "seen.npy"
    np.save(pictures, frames)
    answer = process.ask(do="masks", pictures=str(pictures), out=str(out), seen=str(seen))
    masks = np.load(out)
    check_masks(name, masks, len(frames), (frames.shape[1], frames.shape[2]))
    return masks, np.load(seen) if answer.boolean("seen") else None


def _picture_differences(
    process: PeerProcess, peer: Peer, frames: npt.NDArray[np.uint8], masks: Masks, pictures: Pictures
) -> dict[str, int]:
    """By task: the largest difference from the exact blend, of 255."""
    given, out = pictures.folder / "pictures.npy", pictures.folder / "results.npy"
    np.save(given, frames)
    differences = {}
    for task in (task for task in peer.tasks if task in PICTURE_TASKS):
        process.ask(do="results", task=task, pictures=str(given), out=str(out))
        differences[task] = check_pictures(peer.name, task, np.load(out), frames, masks, pictures.background)
    return differences
