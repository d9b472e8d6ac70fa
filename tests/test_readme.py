"""What the README shows is run."""

import re
from pathlib import Path

import soundfile

from speechbrain_moe.inference.export import export_package

ROOT = Path(__file__).parents[1]


def test_snippets_of_the_readme_run_one_after_the_other(
    experiment, voices, tmp_path, monkeypatch, capsys
):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    snippets = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    export_package(experiment, tmp_path / "results/demo/model/package")
    for wav, name in zip(voices(2), ("00004.wav", "00011.wav")):
        file = tmp_path / "results/demo/voices/test/id20001/room1" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, wav.numpy(), 16000)
    monkeypatch.chdir(tmp_path)
    exec("\n".join(snippets), {})
    score, decision = capsys.readouterr().out.splitlines()
    assert -1 <= float(score) <= 1
    assert decision.split()[0] in ("True", "False", "None")


def test_commands_of_the_readme_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?:`|    )make (\w+)", text))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"demo", "test"} <= targets
    assert all(f"\n{target}:" in makefile for target in targets)


def test_files_named_in_the_readme_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    assert links and all((ROOT / link).exists() for link in links)
