import numpy as np
from matplotlib.figure import Figure

from speechbrain_moe.report.voice_figures import (
    draw_experts,
    draw_waveform,
    outline,
)


def test_a_click_is_seen_at_any_length():
    wav = np.zeros(1_000_000)
    wav[777_777] = 0.9
    low, high = outline(wav)
    assert high.max() == 0.9 and low.min() == 0 and len(high) == 800


def test_time_axis_ends_with_the_recording(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *a, **k: drawn.append(self)
    )
    draw_waveform(np.zeros(32000), 16000)
    assert drawn[0].axes[0].get_xlim() == (0.0, 2.0)


def test_bars_are_the_weights_and_differ_without_colour(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *a, **k: drawn.append(self)
    )
    draw_experts({"one": [0.25, 0.75], "two": [0.5, 0.5]}, n_experts=1)
    (axes,) = drawn[0].axes
    assert [bar.get_height() for bar in axes.patches] == [25, 75, 50, 50]
    assert axes.patches[0].get_hatch() != axes.patches[2].get_hatch()
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert names == ["expert 0", "always on"]
