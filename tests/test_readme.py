"""What the README shows is run."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_snippets_of_the_readme_run_one_after_the_other(monkeypatch, capsys):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    snippets = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(ROOT)
    exec("\n".join(snippets), {})
    decision, score = capsys.readouterr().out.splitlines()
    same, probability, reason = decision.split()
    assert same == "True" and float(probability) > 0.9 and reason == "None"
    assert 0.5 < float(score) < 1


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
