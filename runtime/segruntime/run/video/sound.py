"""Sound that becomes a track of the output: each packet as it is, or encoded again where the container has no place for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from segruntime.run.video.av_library import require_av
from segruntime.run.video.copied import Copied, Track, able, codec_of, ending_of, left_out, sound_like, takes

_RATE_HZ = 48000
_OPUS = "libopus"  # all that WebM takes
_ENCODERS = {"aac": ("fltp", 1024), _OPUS: ("s16", 960)}  # sample format, samples in a frame
_LAYOUTS = {
    "aac": ("mono", "stereo", "3.0", "4.0", "5.0", "5.1"),
    _OPUS: ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1"),
}
"""Layouts that need no description of their own in the file, so that every player knows them; fewest channels first."""
_SAME_PLACE = {"SL": "BL", "SR": "BR"}  # of five speakers the two behind are called either


def sound_track(container: Any, stream: Any) -> tuple[Track | None, str]:
    """What becomes of a stream of sound, and what there is to say of it, if anything."""
    codec, form = codec_of(stream), container.format.name
    if codec is None:
        return None, left_out("sound", stream, form)
    if takes(form, stream):
        return Copied(sound_like(container, stream)), ""
    encoder = "aac" if "aac" in container.supported_codecs else _OPUS
    track = EncodedAgain(container, stream, encoder)
    note = f"sound: {codec} has no place in {ending_of(form)}, encoded again as {encoder.removeprefix('lib')}"
    note += f" with {track.layout} in place of {stream.layout.name}" if track.is_mixed_down else ""
    endings = able(stream)
    return track, note + (f"; choose {endings} to copy it as it is" if endings else "")


class EncodedAgain:
    """A stream of sound, decoded and encoded. `is_mixed_down`: it has fewer channels than before."""

    def __init__(self, container: Any, stream: Any, encoder: str) -> None:
        self._av = require_av()
        self._format, self._size = _ENCODERS[encoder]
        self.output = container.add_stream(encoder, rate=_RATE_HZ)
        self.layout = _layout(stream.layout, _LAYOUTS[encoder])
        self.output.layout = self.layout
        self.is_mixed_down = self._av.AudioLayout(self.layout).nb_channels < stream.layout.nb_channels
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
        return cast(Iterable[Any], self.output.encode(piece))

    def _new_resampler(self) -> Any:
        return self._av.AudioResampler(
            format=self._format, layout=self.output.layout, rate=_RATE_HZ, frame_size=self._size
        )


def _layout(source: Any, known: tuple[str, ...]) -> str:
    """The smallest one that has all channels of the source, or stereo or the largest, into which it is mixed down."""
    layouts = {name: require_av().AudioLayout(name) for name in known}
    wanted = {channel.name for channel in source.channels}
    if not wanted & {"SL", "BL"} or not {"BL", "SL"} <= wanted:
        wanted = {_SAME_PLACE.get(name, name) for name in wanted}
    for name, layout in layouts.items():
        if wanted <= {channel.name for channel in layout.channels}:
            return name
    fitting = [name for name, layout in layouts.items() if layout.nb_channels <= source.nb_channels]
    return fitting[-1]
