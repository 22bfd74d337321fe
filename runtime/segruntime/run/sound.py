"""The sound of the input in the output: each packet as it is, or encoded again where the container has no place for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from segruntime.run.av_library import require_av

_OTHER_CODEC = "libopus"
_OPUS_RATE_HZ = 48000


class SoundCopy:
    """One output stream for each stream of sound of the input."""

    def __init__(self, container: Any, streams: Iterable[Any]) -> None:
        self.notes: list[str] = []
        self._av = require_av()
        self._container = container
        self._copied: dict[int, Any] = {}
        self._encoded: dict[int, tuple[Any, Any]] = {}
        for stream in streams:
            self._add(stream)

    def write(self, packets: Iterable[Any]) -> None:
        """The packets, in the order of the input."""
        for packet in packets:
            index = packet.stream.index
            if index in self._copied:
                packet.stream = self._copied[index]
                self._container.mux_one(packet)
            elif index in self._encoded:
                self._encode(index, packet)

    def flush(self) -> None:
        """The rest of what is encoded."""
        for output, resampler in self._encoded.values():
            for frame in resampler.resample(None):
                self._container.mux(output.encode(frame))
            self._container.mux(output.encode(None))

    def _add(self, stream: Any) -> None:
        codec = stream.codec_context.codec.canonical_name if stream.codec_context else None
        if codec is None:
            self.notes.append("sound in a codec that is not known here was left out")
        elif codec in self._container.supported_codecs:
            self._copied[stream.index] = self._container.add_stream_from_template(stream)
        else:
            output = self._container.add_stream(_OTHER_CODEC, rate=_OPUS_RATE_HZ)
            output.layout = "mono" if stream.codec_context.channels == 1 else "stereo"
            resampler = self._av.AudioResampler(
                format="s16", layout=output.layout, rate=_OPUS_RATE_HZ, frame_size=_OPUS_RATE_HZ // 50
            )
            self._encoded[stream.index] = output, resampler
            self.notes.append(
                f"sound: {codec} has no place in {self._container.format.name}, encoded again as opus; "
                "choose .mp4 or .mkv to copy it as it is"
            )

    def _encode(self, index: int, packet: Any) -> None:
        output, resampler = self._encoded[index]
        for frame in self._frames(packet):
            for piece in resampler.resample(frame):
                self._container.mux(output.encode(piece))

    def _frames(self, packet: Any) -> Iterable[Any]:
        """What is in it; nothing where it is broken, which leaves a gap and no error."""
        try:
            return cast(Iterable[Any], packet.decode())
        except (self._av.FFmpegError, ValueError):
            return ()
