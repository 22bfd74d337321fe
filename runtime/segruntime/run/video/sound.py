"""The sound of the input in the output: each packet as it is, or encoded again where the container has no place for it."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import Any, cast

from segruntime.run.video.av_library import require_av

_RATE_HZ = 48000
_OPUS = "libopus"  # all that WebM takes
_OTHERS = {".mp4": "mp4", ".mkv": "matroska", ".mov": "mov"}  # as ffmpeg names what the endings are
_ENCODERS = {"aac": ("fltp", 1024), _OPUS: ("s16", 960)}  # sample format, samples in a frame


class SoundCopy:
    """One output stream for each stream of sound of the input. `lost`: packets that are broken and were left out."""

    def __init__(self, container: Any, streams: Iterable[Any]) -> None:
        self.notes: list[str] = []
        self.lost = 0
        self._av = require_av()
        of = self._av.error  # that nothing can be made of it, in ffmpeg's words, or that its time goes back
        self._damage = of.InvalidDataError, of.ArgumentError, of.PatchWelcomeError
        self._container = container
        self._copied: dict[int, Any] = {}
        self._encoded: dict[int, EncodedAgain] = {}
        for stream in streams:
            self._add(stream)

    def write(self, packets: Iterable[Any]) -> None:
        """The packets, in the order of the input."""
        for packet in packets:
            index = packet.stream.index
            try:
                if packet.pts is None or packet.pts < packet.dts:  # muxers find that later, in the middle of others
                    self.lost += 1
                elif index in self._copied:
                    packet.stream = self._copied[index]
                    self._container.mux_one(packet)
                elif index in self._encoded:
                    self._container.mux(self._encoded[index](packet))
            except self._damage:
                self.lost += 1

    def flush(self) -> None:
        """The rest of what is encoded."""
        for encoded in self._encoded.values():
            self._container.mux(encoded.rest())

    def _add(self, stream: Any) -> None:
        codec = stream.codec_context.codec.canonical_name if stream.codec_context else None
        form = self._container.format.name
        if codec is None:
            self.notes.append("sound in a codec that is not known here was left out")
        elif takes(form, stream):
            self._copied[stream.index] = self._container.add_stream_from_template(stream)
        else:
            encoder = "aac" if "aac" in self._container.supported_codecs else _OPUS
            self._encoded[stream.index] = EncodedAgain(self._container, stream, encoder)
            note = f"sound: {codec} has no place in {form}, encoded again as {encoder.removeprefix('lib')}"
            able = [ending for ending, other in _OTHERS.items() if takes(other, stream)]
            note += f"; choose {' or '.join(able)} to copy it as it is" if able else ""
            self.notes += [] if note in self.notes else [note]


class EncodedAgain:
    """A stream of sound, decoded and encoded: packet in, packets out."""

    def __init__(self, container: Any, stream: Any, encoder: str) -> None:
        self._av = require_av()
        self._format, self._size = _ENCODERS[encoder]
        self._output = container.add_stream(encoder, rate=_RATE_HZ)
        self._output.layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        self._resampler = self._new_resampler()

    def __call__(self, packet: Any) -> list[Any]:
        return [made for frame in packet.decode() for piece in self._pieces(frame) for made in self._encode(piece)]

    def rest(self) -> list[Any]:
        """What is still inside."""
        return [made for piece in [*self._resampler.resample(None), None] for made in self._encode(piece)]

    def _pieces(self, frame: Any) -> Iterable[Any]:
        try:
            return cast(Iterable[Any], self._resampler.resample(frame))
        except ValueError:  # from stereo to mono, say, as broadcasts do between programmes
            self._resampler = self._new_resampler()
            return cast(Iterable[Any], self._resampler.resample(frame))

    def _encode(self, piece: Any) -> Iterable[Any]:
        return cast(Iterable[Any], self._output.encode(piece))

    def _new_resampler(self) -> Any:
        return self._av.AudioResampler(
            format=self._format, layout=self._output.layout, rate=_RATE_HZ, frame_size=self._size
        )


def takes(container_format: str, stream: Any) -> bool:
    """Whether a container has a place for a stream as it is; tried, as a list of codecs says yes too often (Opus in MOV)."""
    av = require_av()
    trial = av.open(BytesIO(), "w", format=container_format)
    try:
        trial.add_stream_from_template(stream)
        trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    finally:
        _close(trial)
    return True


def _close(container: Any) -> None:
    try:
        container.close()
    except (require_av().FFmpegError, OSError, ValueError):
        pass  # nothing was written
