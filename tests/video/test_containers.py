"""Sound in every container that people bring: copied where players of the result know it, else encoded again and said."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from tests.video.clips import RATE_HZ, av, make, packets, times

from segruntime.run.statistics import Statistics

pytestmark = pytest.mark.usefixtures("everywhere")
Run = Callable[..., Statistics]
MJPEG = {"codec": "mjpeg", "pixels": "yuvj420p", "options": {}}


def sound_of(path: Path) -> tuple[str, str, npt.NDArray[np.float64], float]:
    """Codec, layout, samples `(channels, n)` in -1..1, and the time of the first in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="flt")
        pieces, start_s, layout = [], None, ""
        for frame in container.decode(stream):
            for piece in resampler.resample(frame):
                start_s = float(piece.pts * piece.time_base) if start_s is None else start_s
                layout = piece.layout.name
                pieces.append(piece.to_ndarray().reshape(-1, piece.layout.nb_channels).T.astype(np.float64))
        assert start_s is not None
        return stream.codec_context.codec.canonical_name, layout, np.concatenate(pieces, 1), start_s


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_u8", "pcm_alaw", "pcm_mulaw", "adpcm_ms"])
@pytest.mark.parametrize("target", [".mp4", ".m4v"])
def test_a_webcam_s_avi_becomes_an_mp4_that_players_take(codec: str, target: str, tmp_path: Path, segrun: Run) -> None:
    """ffmpeg would put PCM there as `ipcm`, which neither browsers nor QuickTime play."""
    clip = make(tmp_path / "in.avi", sound=[codec], **MJPEG)
    statistics = segrun(clip, tmp_path / f"out{target}")
    assert statistics.frames == 12
    assert [note.split(";")[0] for note in statistics.notes] == [
        f"sound: {codec} has no place in {target}, encoded again as aac"
    ]
    found, layout, samples, start_s = sound_of(tmp_path / f"out{target}")
    assert (found, layout) == ("aac", "stereo")
    tone = samples[:, 4000:-4000]
    assert np.abs(tone).max() == pytest.approx(8000 / 32768, rel=0.15)
    assert 12 / 25 <= start_s + samples.shape[1] / RATE_HZ < 12 / 25 + 0.06
    assert times(tmp_path / f"out{target}") == times(clip)


@pytest.mark.parametrize("target", [".mkv", ".mov"])
def test_pcm_of_an_avi_is_copied_where_it_has_a_place(target: str, tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.avi", sound=["pcm_s16le"], **MJPEG)
    assert segrun(clip, tmp_path / f"out{target}").notes == []
    before, after = (b"".join(data for _, data in packets(path)[0]) for path in (clip, tmp_path / f"out{target}"))
    assert len(before) > 10_000
    assert after == before


@pytest.mark.parametrize(
    ("codec", "target", "becomes"),
    [
        ("aac", ".mp4", "aac"),
        ("ac3", ".mp4", "ac3"),
        ("eac3", ".mp4", "eac3"),
        ("libmp3lame", ".mp4", "mp3"),
        ("flac", ".mp4", "flac"),
        ("alac", ".mp4", "alac"),
        ("libopus", ".mp4", "opus"),
        ("vorbis", ".mp4", "aac"),
        ("mp2", ".mp4", "aac"),
        ("pcm_s24le", ".mp4", "aac"),
        ("pcm_s24le", ".mov", "pcm_s24le"),
        ("pcm_u8", ".mov", "pcm_u8"),
        ("libmp3lame", ".mov", "mp3"),
        ("ac3", ".mov", "ac3"),
        ("libopus", ".mov", "aac"),
        ("flac", ".m4v", "aac"),
        ("vorbis", ".webm", "vorbis"),
        ("flac", ".webm", "opus"),
        ("vorbis", ".mkv", "vorbis"),
        ("flac", ".mkv", "flac"),
    ],
)
def test_sound_is_what_players_of_the_container_know(
    codec: str, target: str, becomes: str, tmp_path: Path, segrun: Run
) -> None:
    clip = make(tmp_path / "in.mkv", frames=25, sound=[codec])
    statistics = segrun(clip, tmp_path / f"out{target}")
    before, _, _, _ = sound_of(clip)
    found, _, samples, _ = sound_of(tmp_path / f"out{target}")
    assert found == becomes
    assert [note.split(" ")[:2] for note in statistics.notes] == ([] if becomes == before else [["sound:", before]])
    assert np.abs(samples[:, 4000:-4000]).max() == pytest.approx(8000 / 32768, rel=0.15)
    assert samples.shape[1] / RATE_HZ == pytest.approx(1, abs=0.07)  # an encoder fills its last block


LEVELS = [0.05, 0.1, 0.15, 0.2, 0.25, 0.3]


def six_channels(path: Path, layout: str) -> Path:
    """Each channel of 5.1 has a level of its own."""
    with av.open(str(path), "w") as container:
        picture = container.add_stream("mpeg4", rate=25, width=64, height=64)
        sound = container.add_stream("pcm_s16le", rate=RATE_HZ, layout=layout)
        for _ in range(25):
            container.mux(picture.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        wave = np.sin(np.arange(RATE_HZ) * (2 * np.pi * 60 / RATE_HZ))  # 60 Hz, which the channel of the bass keeps
        samples = (np.array(LEVELS)[:, None] * wave * 32767).round().astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T).reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
        container.mux([*picture.encode(None), *sound.encode(frame), *sound.encode(None)])
    return path


@pytest.mark.parametrize("layout", ["5.1", "5.1(side)"])
@pytest.mark.parametrize(("target", "codec"), [(".mp4", "aac"), (".webm", "opus")])
def test_surround_stays_surround_where_it_is_encoded_again(
    layout: str, target: str, codec: str, tmp_path: Path, segrun: Run
) -> None:
    clip = six_channels(tmp_path / "in.mov", layout)
    assert sound_of(clip)[1] == layout
    (note,) = segrun(clip, tmp_path / f"out{target}").notes
    assert note.split(";")[0].endswith(f"encoded again as {codec}")
    found, channels, samples, _ = sound_of(tmp_path / f"out{target}")
    assert (found, channels) == (codec, "5.1")
    np.testing.assert_allclose(np.abs(samples[:, 12000:-12000]).max(1), LEVELS, rtol=0.1)


def test_more_channels_than_an_encoder_has_are_mixed_down_and_said(tmp_path: Path, segrun: Run) -> None:
    clip = make(tmp_path / "in.mkv", sound=["flac"], layout="7.1")
    (note,) = segrun(clip, tmp_path / "out.m4v").notes
    assert "flac has no place in .m4v, encoded again as aac with 5.1 in place of 7.1; choose .mp4 or .mkv" in note
    assert sound_of(tmp_path / "out.m4v")[:2] == ("aac", "5.1")
    segrun(clip, tmp_path / "out.webm")
    assert sound_of(tmp_path / "out.webm")[:2] == ("opus", "7.1")


@pytest.mark.parametrize(("layout", "becomes"), [("mono", "mono"), ("2.1", "5.1"), ("quad", "5.0"), ("4.0", "4.0")])
def test_an_odd_layout_becomes_the_smallest_that_holds_it(
    layout: str, becomes: str, tmp_path: Path, segrun: Run
) -> None:
    clip = make(tmp_path / "in.mov", sound=["pcm_s16le"], layout=layout)
    segrun(clip, tmp_path / "out.mp4")
    assert sound_of(tmp_path / "out.mp4")[:2] == ("aac", becomes)
