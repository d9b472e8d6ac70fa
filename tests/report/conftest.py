"""What a picture would show, without writing it."""

import pytest


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Call a picture's function and return the Figure it would write."""
    pytest.importorskip("matplotlib")

    def draw(plot, *given, **options):
        figures = []

        def keep(path, save):
            figures.append(save.args[0])

        monkeypatch.setitem(plot.__globals__, "write_whole", keep)
        plot(*given, path=tmp_path / "picture.png", **options)
        (figure,) = figures
        figure.canvas.draw()
        return figure

    return draw
