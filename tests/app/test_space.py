import ast
from configparser import ConfigParser
from inspect import signature
from pathlib import Path

from huggingface_hub import RepoCard
from packaging.requirements import Requirement

from speechbrain_moe.app import launch

SPACE = Path(__file__).parents[2] / "space"


def test_header_is_that_of_a_gradio_space():
    header = RepoCard.load(SPACE / "README.md", repo_type="space").data
    assert header.sdk == "gradio" and (SPACE / header.app_file).is_file()
    assert header.title and header.license == "apache-2.0"
    assert len(header.short_description) <= 60


def test_version_is_one_that_the_extra_takes():
    setup = ConfigParser()
    setup.read(SPACE.with_name("setup.cfg"))
    lines = setup["options.extras_require"]["app"].split("\n")
    (gradio,) = (
        wanted
        for wanted in map(Requirement, filter(None, lines))
        if wanted.name == "gradio"
    )
    header = RepoCard.load(SPACE / "README.md", repo_type="space").data
    assert header.sdk_version in gradio.specifier


def test_what_it_installs_is_this_package_with_the_page():
    lines = (SPACE / "requirements.txt").read_text().split()
    (wanted,) = map(Requirement, lines)
    assert wanted.name == "speechbrain-moe" and wanted.extras == {"app"}


def test_it_calls_launch_with_arguments_that_launch_has():
    tree = ast.parse((SPACE / "app.py").read_text())
    (call,) = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and node.func.id == "launch"
    )
    names = {keyword.arg for keyword in call.keywords}
    assert names and names <= set(signature(launch).parameters)
