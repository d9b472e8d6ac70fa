"""What README and docs show: Python blocks run, commands fit what is there."""

import configparser
import re
import shlex
from pathlib import Path

import pytest
import soundfile

from speechbrain_moe.cli import build_parser
from speechbrain_moe.inference import shipped
from speechbrain_moe.inference.export import export_package

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipes" / "VoxCeleb" / "moe_ecapa"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", RECIPE / "README.md", *DOCS]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
# of SpeechBrain, beside the keys of a yaml
RUN_OPTIONS = ("debug", "test_only", "distributed_backend")
PROGRAMS = "cd|make|pip|python|source|speechbrain-moe|torchrun"


def fenced(path, language):
    """Blocks of one language, in order."""
    text = path.read_text(encoding="utf-8")
    return [body for name, body in FENCE.findall(text) if name == language]


def commands(path):
    """Commands of sh blocks, and of indented lines that are commands."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    shown = [body for name, body in FENCE.findall(text) if name == "sh"]
    outside = FENCE.sub("", text)
    shown += re.findall(rf"^    ((?:{PROGRAMS}) .*)$", outside, re.MULTILINE)
    lines = [line for body in shown for line in body.splitlines()]
    plain = (re.sub(r"<[^>]*>", "PLACEHOLDER", line) for line in lines)
    return [words for line in plain if (words := shlex.split(line, True))]


def yaml_keys():
    """Every key that a training can be given."""
    texts = [p.read_text("utf-8") for p in (RECIPE / "hparams").glob("*.yaml")]
    keys = re.findall(r"^([a-z]\w*):", "\n".join(texts), re.MULTILINE)
    return {*keys, *RUN_OPTIONS}


def check_script(words):
    """A script is there, and each of its options is known to it."""
    scripts = [place / words[0] for place in (ROOT, RECIPE)]
    script = next((file for file in scripts if file.exists()), None)
    assert script, f"{words[0]}: no such script"
    options = [word[2:] for word in words[1:] if word.startswith("--")]
    if script.name == "train.py":
        assert (RECIPE / words[1]).exists(), words[1]
        known = yaml_keys()
        assert all(option in known for option in options), words
    text = script.read_text(encoding="utf-8")
    if script.name != "train.py":
        assert all(f'"--{option}"' in text for option in options), words


def check_pip(words):
    """Extras that are asked for are declared."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    asked = re.findall(r"\[([^\]]+)\]", " ".join(words))
    assert all(name in extras for each in asked for name in each.split(","))


def check_command(words):
    """A command is one that works here, as far as reading tells."""
    program, *rest = words
    if program == "speechbrain-moe" and rest != ["--help"]:
        if "--help" not in rest:
            build_parser().parse_args(rest)
    elif program == "torchrun":
        check_script(rest[rest.index(next(w for w in rest if ".py" in w)) :])
    elif program == "python" and rest[0] != "-m":
        check_script(rest)
    elif program == "pip":
        check_pip(rest)
    elif program == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert f"\n{rest[0]}:" in makefile
    elif program == "cd":
        assert (ROOT / rest[0]).is_dir()
    else:
        assert program in PROGRAMS.split("|"), words


@pytest.mark.parametrize(
    "page", PAGES, ids=lambda p: f"{p.parent.name}/{p.name}"
)
def test_commands_on_a_page_fit_what_is_there(page):
    for words in commands(page):
        try:
            check_command(words)
        except SystemExit:
            pytest.fail(f"speechbrain-moe does not take: {shlex.join(words)}")


def test_a_page_with_a_wrong_command_is_found(tmp_path):
    page = tmp_path / "page.md"
    for line, error in {
        "speechbrain-moe verify a.wav": SystemExit,
        "python train.py hparams/demo.yaml --n_expert 2": AssertionError,
        "python verify.py PLACE --no_such_option": AssertionError,
        'pip install "x[nowhere]"': AssertionError,
        "make nothing": AssertionError,
        "wget file": AssertionError,
    }.items():
        page.write_text(f"```sh\n{line}\n```\n")
        with pytest.raises(error):
            check_command(*commands(page))


@pytest.fixture
def recordings(experiment, voices, tmp_path, monkeypatch):
    """A folder with what the pages name, and small shipped weights."""
    export_package(experiment, tmp_path / "weights" / shipped.SHIPPED)
    monkeypatch.setattr(shipped, "PLACES", (tmp_path / "weights",))
    names = ("a", "b", "ann1", "ann2", "bob")
    for name, wav in zip(names, voices(5, n_samples=32000)):
        soundfile.write(tmp_path / f"{name}.wav", wav.numpy(), 16000)
    (tmp_path / "trials.txt").write_text(
        "1 ann1.wav ann2.wav\n0 ann1.wav bob.wav\n0 a.wav bob.wav\n"
    )
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "page", [p for p in DOCS if fenced(p, "python")], ids=lambda p: p.name
)
def test_python_on_a_page_runs_from_top_to_bottom(page, recordings):
    exec(compile("\n".join(fenced(page, "python")), str(page), "exec"), {})


@pytest.mark.parametrize("page", DOCS, ids=lambda p: p.name)
def test_links_of_a_page_lead_to_files(page):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    assert all((page.parent / link).exists() for link in links)


def test_every_page_is_in_the_contents():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    listed = "\n".join(re.findall(r"```{toctree}\n(.*?)```", index, re.DOTALL))
    listed = {line.split("<")[-1].rstrip(">") for line in listed.splitlines()}
    assert {page.stem for page in DOCS} - {"index"} <= listed
