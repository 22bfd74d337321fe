"""`-o OUTPUT` as a user writes it → the sink."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol, get_args

from segruntime.atomic_file import check_target
from segruntime.errors import OptionError, OutputError
from segruntime.picture_files import SUFFIXES
from segruntime.picture_files.encode import WITH_ALPHA
from segruntime.picture_files.writers import WRITERS
from segruntime.run.live.sinks import NoSink, VirtualCameraSink
from segruntime.run.pictures.animated.sink import AnimationSink
from segruntime.run.pictures.names import result_name
from segruntime.run.pictures.sink import PictureSink, into, numbered
from segruntime.run.source import VideoFacts
from segruntime.run.stages import Canvas, Mode
from segruntime.run.stations import Finished
from segruntime.run.video.encoder import DEEP_KINDS, VIDEO_KINDS, VideoKind
from segruntime.run.video.segment_sink import SegmentSink
from segruntime.run.video.sink import VideoSink
from segruntime.run.video.span import Span

VIRTUAL_CAMERA = "virtual-camera"
ANIMATIONS = (".gif", ".webp", ".apng")
_FRAME_NAME = "frame_%06d.png"
_FILE_ENDINGS = SUFFIXES | set(VIDEO_KINDS)


class Sink(Protocol):
    """Takes finished frames in their order. `canvas` gives memory for a result where the sink wants it in its own."""

    notes: list[str]

    @property
    def canvas(self) -> Canvas | None: ...

    def write(self, finished: Finished, /) -> None: ...

    def finish(self, trailing_packets: Iterable[Any] = (), /) -> None: ...

    def abandon(self) -> None: ...


def check_output(output: str | None, source: str, *, overwrite: bool) -> None:
    """What can be said before anything is opened.

    Raises:
        OutputError: the output is the input, lies in the input folder, has no folder, is there already, or is a file
            for a folder.
    """
    if output is None or output.split(":")[0] == VIRTUAL_CAMERA:
        return
    target, origin = Path(output), Path(source)
    if origin.is_dir() and (target.resolve() == origin.resolve() or origin.resolve() in target.resolve().parents):
        raise OutputError(
            f"{output}: lies in the input folder, whose pictures it would become; choose another one with -o"
        )
    if origin.is_file() and any(path.exists() and path.samefile(origin) for path in _results(target, origin)):
        raise OutputError(f"{output}: is the input itself; choose another name with -o")
    if origin.is_dir() and not is_folder(output) and (target.suffix.lower() in _FILE_ENDINGS or "%" in target.name):
        raise OutputError(
            f"{output}: the input is a folder, expected a folder for the results, like {target.with_name(target.stem)}/"
        )
    if origin.is_dir() or is_folder(output):
        check_target(target, overwrite=overwrite, is_folder=True)
    elif "%" not in target.name:
        check_target(target, overwrite=overwrite)


def _results(target: Path, origin: Path) -> list[Path]:
    """The files that one input file may become."""
    inside = {result_name(origin, mode) for mode in get_args(Mode)} if target.is_dir() else ()
    return [target, *(target / name for name in inside)]


def wants_planes(output: str | None) -> bool:
    """Whether an animated picture is to become a video, a camera's picture or a window's, for which it is read as a video."""
    if output is None or output.split(":")[0] == VIRTUAL_CAMERA:
        return True
    return not is_folder(output) and Path(output).suffix.lower() in VIDEO_KINDS


def still_sink(output: str | None, mode: Mode, *, moves: bool = False, overwrite: bool) -> Sink:
    """For a picture; `moves`: it is an animation.

    Raises:
        OptionError: an ending that cannot be written, or has no place for transparency.
    """
    if output is None:
        return NoSink()
    if output.split(":")[0] == VIRTUAL_CAMERA:
        raise OptionError(f"{output}: takes a video or a camera, got a picture; choose the name of a file with -o")
    target = Path(output)
    if is_folder(output):
        return PictureSink(into(target, mode), mode, overwrite=overwrite)
    _check_picture_ending(target, mode)
    if moves and _is_pattern(target):
        return PictureSink(_checked_numbers(target), mode, overwrite=overwrite, apart=True)
    if moves and target.suffix.lower() not in WRITERS:
        raise OptionError(
            f"{output}: has place for one picture, the input has many; expected {', '.join(WRITERS)}, "
            f"{', '.join(VIDEO_KINDS)}, or a pattern (frames/%05d.png)"
        )
    return PictureSink(lambda _: target, mode, overwrite=overwrite)


def video_sink(facts: VideoFacts, output: str | None, mode: Mode, *, overwrite: bool, encoder: dict[str, str]) -> Sink:
    """For a video, camera or stream.

    Raises:
        OptionError: an ending that cannot be written, or has no place for transparency. OutputError: see the sinks.
    """
    if output is None:
        return NoSink(facts)
    name, _, device = output.partition(":")
    _check_depth(output, facts)
    if name == VIRTUAL_CAMERA:
        if mode != "replaced":
            raise OptionError(
                f"{output}: a virtual camera has no transparency, got {mode}; choose another --background"
            )
        return VirtualCameraSink(facts, device or None)
    target = Path(output)
    suffix = target.suffix.lower()
    if suffix in VIDEO_KINDS and not is_folder(output):
        return VideoSink(target, _kind(target, mode, encoder, facts), facts)
    if is_folder(output):
        target, suffix = target / _FRAME_NAME, ".png"
    if suffix in SUFFIXES and _is_pattern(target):
        _check_picture_ending(target, mode)
        return PictureSink(_checked_numbers(target), mode, overwrite=overwrite, apart=True)
    if suffix in ANIMATIONS:
        return AnimationSink(target, mode, facts)
    raise OptionError(
        f"{output}: unknown ending {suffix!r} for a video, expected {', '.join((*VIDEO_KINDS, *ANIMATIONS))}, a folder for "
        "numbered pictures (frames/), a pattern (frames/%05d.png) or virtual-camera"
    )


def segment_sink(facts: VideoFacts, output: str, mode: Mode, encoder: dict[str, str], span: Span) -> Sink:
    """For a part of a video that becomes `output` when it is joined; see `video_sink`."""
    _check_depth(output, facts)
    target = Path(output)
    return SegmentSink(target, _kind(target, mode, encoder, facts), facts, span)


def _check_depth(output: str, facts: VideoFacts) -> None:
    if facts.tags.bits > 8 and Path(output).suffix.lower() not in DEEP_KINDS:
        raise OptionError(
            f"{output}: has no place for 10 bits, expected {', '.join(DEEP_KINDS)} with --hdr keep; leave --hdr out"
        )


def _kind(target: Path, mode: Mode, encoder: dict[str, str], facts: VideoFacts) -> VideoKind:
    known = VIDEO_KINDS if facts.tags.bits == 8 else DEEP_KINDS
    plain, with_alpha = known[target.suffix.lower()]
    kind = plain
    if mode == "transparent":
        if with_alpha is None:
            able = ", ".join(ending for ending, kinds in known.items() if kinds[1])
            in_bits = "" if facts.tags.bits == 8 else " in 10 bits"
            other = "a folder for PNGs (frames/)" if facts.tags.bits == 8 else "leave --hdr keep out"
            raise OptionError(f"{target}: {target.suffix} has no transparency{in_bits}, expected {able}, or {other}")
        kind = with_alpha
    return kind.with_options(encoder)


def _is_pattern(target: Path) -> bool:
    return re.search(r"%0?\d*d", target.name) is not None


def _checked_numbers(target: Path) -> Any:
    try:
        if target.name % 1 == target.name % 2:
            raise ValueError("it gives one name for all")
    except (ValueError, TypeError) as error:
        raise OptionError(f"{target}: cannot number frames ({error}), expected one number in it, like %05d") from error
    return numbered(str(target.parent).replace("%", "%%") + "/" + target.name)


def _check_picture_ending(target: Path, mode: Mode) -> None:
    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        raise OptionError(f"{target}: unknown ending {suffix!r} for a picture, expected {', '.join(sorted(SUFFIXES))}")
    if mode == "transparent" and suffix not in WITH_ALPHA:
        raise OptionError(f"{target}: {suffix} has no transparency, expected {', '.join(WITH_ALPHA)}")


def is_folder(output: str) -> bool:
    """Whether OUTPUT is to be a folder, by its name or since there is one."""
    return output.endswith(("/", "\\")) or Path(output).is_dir() or not Path(output).suffix
