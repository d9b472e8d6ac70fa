"""What README and docs show: Python runs, commands run or fit what is there."""

import configparser
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechbrain_moe.cli import build_parser, main
from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.inference import shipped
from speechbrain_moe.inference.export import export_package
from speechbrain_moe.training.settings import open_stage, read_settings

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipes" / "VoxCeleb" / "moe_ecapa"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", RECIPE / "README.md", *DOCS]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
# of SpeechBrain, beside the keys of a yaml
RUN_OPTIONS = ("debug", "test_only", "device", "distributed_backend")
PROGRAMS = "cd|make|pip|python|source|speechbrain-moe|torchrun"
RUN_PAGES = [ROOT / "README.md", ROOT / "docs" / "quickstart.md"]
# How commands of RUN_PAGES begin that do not run here, and why
NOT_RUN = {
    "pip": "fetches packages",
    "make": "makes an environment; takes minutes",
    "cd": "goes where train.py is",
    "python train.py": "takes minutes; tests/recipes trains in miniature",
    "speechbrain-moe app": "serves until it is stopped; tests/app opens it",
    "speechbrain-moe push": "needs a Hub; tests/inference/test_hub.py has one",
    "speechbrain-moe pull": "the same",
}


def fenced(path, language):
    """Blocks of one language, in order."""
    text = path.read_text(encoding="utf-8")
    return [body for name, body in FENCE.findall(text) if name == language]


def spell_out(text):
    """Lines with the values of shell variables that lines before them set."""
    values, lines = {}, []
    for line in text.splitlines():
        line = re.sub(r"\$(\w+)", lambda it: values.get(it[1], it[0]), line)
        found = re.fullmatch(r' *(\w+)=(?:"([^"]*)"|(\S+))(?: *#.*)?', line)
        if found:
            values[found[1]] = found[2] or found[3]
        else:
            lines.append(line)
    return "\n".join(lines)


def commands(path, given=None):
    """Commands of sh blocks, and of indented lines that are commands.

    Each <placeholder> becomes what is given for it.
    """
    given = given or {}
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    text = spell_out(text)
    shown = [body for name, body in FENCE.findall(text) if name == "sh"]
    outside = FENCE.sub("", text)
    shown += re.findall(rf"^    ((?:{PROGRAMS}) .*)$", outside, re.MULTILINE)
    lines = [line for body in shown for line in body.splitlines()]
    plain = (
        re.sub(r"<([^>]*)>", lambda it: given.get(it[1], "PLACEHOLDER"), line)
        for line in lines
    )
    return [words for line in plain if (words := shlex.split(line, True))]


def beginning(words):
    """The entry of NOT_RUN that a command is of, None if it runs."""
    firsts = (words[0], " ".join(words[:2]))
    return next((first for first in firsts if first in NOT_RUN), None)


def check_training(words):
    """A yaml file of the recipe takes the keys and values of a command."""
    assert (RECIPE / words[0]).exists(), words[0]
    pairs = zip(words[1:], [*words[2:], "--"])
    flags = {
        word[2:]: "True" if value.startswith("--") else value
        for word, value in pairs
        if word.startswith("--") and word[2:] not in RUN_OPTIONS
    }
    given = "\n".join(f"{key}: {value}" for key, value in flags.items())
    read_settings(*open_stage(RECIPE / words[0], given))


def check_script(words):
    """A script is there, and each of its options is known to it."""
    scripts = [place / words[0] for place in (ROOT, RECIPE)]
    script = next((file for file in scripts if file.exists()), None)
    assert script, f"{words[0]}: no such script"
    options = [word[2:] for word in words[1:] if word.startswith("--")]
    if script.name == "train.py":
        check_training(words[1:])
    else:
        text = script.read_text(encoding="utf-8")
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
        "python train.py hparams/demo.yaml --n_expert 2": HyperparameterError,
        "python train.py hparams/ecapa_small.yaml": HyperparameterError,
        'run="python train.py"\n$run hparams/demo.yaml --n_expert 2': (
            HyperparameterError
        ),
        "python train.py hparams/moe_ecapa_small.yaml "
        "--data_folder <pack> --top_k 1": HyperparameterError,
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


@pytest.fixture
def files_named(experiment, tmp_path, monkeypatch):
    """A folder with what RUN_PAGES name, and their placeholders.

    Shipped weights, and the recordings that come with them: two of one
    person, one of another.
    """
    pytest.importorskip("onnxruntime")
    for name in ("matplotlib", "onnxscript", "silero_vad", "sklearn"):
        pytest.importorskip(name)
    package = shipped.shipped_package()
    (tmp_path / "pretrained").symlink_to(package.parent)
    examples = sorted(package.glob("*.wav"))
    names = {"a": 0, "b": 1, "monday": 0, "tuesday": 1, "call": 1}
    listed = {"ann/s/1": 0, "ann/s/2": 1, "bob/s/1": 2}
    for name in ("ann", "bob"):
        (tmp_path / "recordings" / name / "s").mkdir(parents=True)
    names |= {f"recordings/{name}": i for name, i in listed.items()}
    for name, i in names.items():
        shutil.copy(examples[i], tmp_path / f"{name}.wav")
    talk = np.concatenate([soundfile.read(path)[0] for path in examples])
    soundfile.write(tmp_path / "meeting.wav", talk, 16000)
    trials = "1 ann/s/1.wav ann/s/2.wav\n0 ann/s/1.wav bob/s/1.wav\n"
    (tmp_path / "list.txt").write_text(trials)
    monkeypatch.chdir(tmp_path)
    given = {"training": str(experiment), "package": "package"}
    return given | {"list": "list.txt", "folder": "recordings"}


@pytest.mark.slow  # one of them traces a model
@pytest.mark.parametrize("page", RUN_PAGES, ids=lambda p: p.name)
def test_commands_of_a_page_run_one_after_the_other(
    page, files_named, tmp_path, capsys
):
    run = [w for w in commands(page, files_named) if not beginning(w)]
    assert len(run) >= 6
    for program, *rest in run:
        assert program == "speechbrain-moe", f"{program}: how is it run?"
        assert main(rest) == 0, f"{shlex.join(rest)}: {capsys.readouterr().err}"
        assert capsys.readouterr().out, rest
        if rest[0] == "identify":
            assert main([*rest, "--json"]) == 0
            assert '"name": "Ann"' in capsys.readouterr().out
    assert np.load(tmp_path / "embeddings.npz")["embeddings"].shape[0] == 3


def test_each_reason_not_to_run_is_that_of_a_command():
    shown = [beginning(w) for page in RUN_PAGES for w in commands(page)]
    assert set(NOT_RUN) == set(shown) - {None}


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
