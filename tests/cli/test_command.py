"""The command speechbrain-moe: help, version, errors."""

import os
import subprocess
import sys

import pytest

from speechbrain_moe import __version__
from speechbrain_moe.cli import build_parser, main
from speechbrain_moe.inference import shipped


def commands():
    """Parsers of the subcommands by name."""
    (group,) = build_parser()._subparsers._group_actions
    return group.choices


def test_version_is_printed(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize("name", commands())
def test_each_command_has_examples_that_it_can_parse(name):
    text = commands()[name].epilog.split("examples:\n")[1]
    lines = text.replace("\\\n", " ").splitlines()
    assert lines
    for line in lines:
        program, *given = line.split("#")[0].replace("'", "").split()
        assert program == "speechbrain-moe" and given[0] == name
        assert build_parser().parse_args(given).run


def test_help_loads_no_large_package():
    code = (
        "import sys; from speechbrain_moe.cli import build_parser;"
        "build_parser().format_help();"
        "sys.exit(bool({'torch', 'numpy', 'scipy'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    "command",
    [
        ["verify", "a.wav", "b.wav", "--model", "nowhere"],
        ["route", "nowhere"],
        ["embed", "nowhere", "-o", "out.npz"],
        ["push", "nowhere", "user/name"],
        ["onnx", "nowhere", "out.onnx"],
        ["verify-package", "nowhere"],
    ],
)
def test_what_is_missing_ends_in_one_line_and_status_2(command, refused):
    assert "nowhere" in refused(*command)


def test_a_shell_is_told_how_a_word_goes_on(tmp_path):
    pytest.importorskip("argcomplete")
    line, out = "speechbrain-moe verify-p", tmp_path / "words"
    asked = {
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(out),
    }
    code = "from speechbrain_moe.cli import main; main()"
    command = [sys.executable, "-c", code]
    subprocess.run(command, env={**os.environ, **asked}, check=True)
    assert out.read_text().split() == ["verify-package"]


def test_ctrl_c_ends_in_one_word(monkeypatch, capsys):
    def stop(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(shipped, "find_model", stop)
    assert main(["card"]) == 130
    assert capsys.readouterr() == ("", "stopped\n")


def test_a_reader_that_leaves_early_is_no_error():
    program = "from speechbrain_moe.cli import say; say('line\\n' * 100000)"
    command = f'"{sys.executable}" -c "{program}" | head -n 1'
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("line\n", "")


def test_what_the_system_refuses_ends_in_one_line(monkeypatch, refused):
    def fill(*given):
        raise OSError(28, "No space left on device", "out.npz")

    monkeypatch.setattr(shipped, "find_model", fill)
    said = refused("card")
    assert "No space left on device" in said and "out.npz" in said


def test_a_letter_that_a_terminal_lacks_is_no_error():
    program = "from speechbrain_moe.cli import say; say('a' + chr(233))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
    )
    assert done.stdout.strip() == rb"a\xe9"


def test_an_error_is_no_answer_where_stderr_is_closed():
    program = (
        "import sys; from speechbrain_moe.cli import main;"
        "sys.exit(main(['embed', 'nope.wav', '-o', 'x.npz']))"
    )
    command = f'"{sys.executable}" -c "{program}" 2>&-'
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
