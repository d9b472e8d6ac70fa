"""Recordings and a command that says what it printed."""

import itertools
import json

import pytest
import soundfile

from speechbrain_moe.cli import main


@pytest.fixture
def files(voices, tmp_path):
    """Two recordings at 16 kHz."""
    paths = [str(tmp_path / f"{i}.wav") for i in range(2)]
    for path, wav in zip(paths, voices(2)):
        soundfile.write(path, wav.numpy(), 16000)
    return paths


@pytest.fixture
def said(capsys):
    """Run a command with --json; give what it printed, once it is done."""

    def run(*given):
        assert main([*map(str, given), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def refused(capsys):
    """Run a command that ends in status 2; give its one line on stderr."""

    def run(*given):
        assert main([*map(str, given)]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.startswith("error: ")
        assert err.count("\n") == 1
        return err

    return run


@pytest.fixture
def trial_list(voices, tmp_path):
    """A list over 3 speakers with 2 files each, and its folder."""
    paths = [f"{s}/s/{i}.wav" for s in "abc" for i in range(2)]
    for path, wav in zip(paths, voices(6)):
        (tmp_path / "audio" / path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "audio" / path, wav.numpy(), 16000)
    lines = [
        f"{int(a[0] == b[0])} {a} {b}\n"
        for a, b in itertools.combinations(paths, 2)
    ]
    (tmp_path / "trials.txt").write_text("".join(lines))
    (tmp_path / "meta.csv").write_text("spk_id,gender\na,f\nb,m\nc,f\n")
    return tmp_path
