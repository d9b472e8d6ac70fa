import pydoc
import re
from io import StringIO
from pathlib import Path

import pytest
from hyperpyyaml import resolve_references

from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference import graph_check
from speechbrain_moe.inference.export import export_package
from speechbrain_moe.inference.graph_check import (
    CLASSES,
    check_graph,
    names_class,
)

GRAPH = Path(__file__).parents[2] / "hparams" / "moe_ecapa.yaml"
GATE = "!new:speechbrain_moe.lobes.gate.GatingCNN"


@pytest.fixture
def check(tmp_path):
    """Checks a text as a hyperparams.yaml; the mark of any code run."""
    path, mark = tmp_path / "hyperparams.yaml", tmp_path / "mark"

    def run(text):
        path.write_text(text.replace("MARK", str(mark)), encoding="utf-8")
        try:
            check_graph(path)
        finally:
            assert not mark.exists()

    return run


def test_own_graph_and_packages_pass(experiment, tmp_path, check):
    package = export_package(experiment, tmp_path / "package")
    check_graph(package / "hyperparams.yaml")
    check(resolve_references(GRAPH.read_text(encoding="utf-8")).read())


def test_list_holds_no_class_that_graphs_do_not_use():
    used = re.findall(r"!new:([\w.]+)", GRAPH.read_text(encoding="utf-8"))
    # Of trainings of before there were sub-centres
    assert CLASSES == {
        *used,
        "speechbrain.lobes.models.ECAPA_TDNN.Classifier",
    }


@pytest.mark.parametrize(
    "text",
    [
        "a: !apply:os.mkdir [MARK]",
        "a: !applyref:os.mkdir [MARK]",
        "__a: !apply:os.mkdir [MARK]",
        "a: [1, {b: [!apply:os.mkdir [MARK]]}]",
        "? !apply:os.mkdir [MARK]\n: 1",
        f"a: {GATE}\n    channels: !apply:os.mkdir [MARK]",
        "a: &x\n    b: !apply:os.mkdir [MARK]\nc:\n    <<: *x",
        "a: !!python/object/apply:os.mkdir [MARK]",
        "a: !<!apply:os.mkdir> [MARK]",
        "a: !%61pply:os.mkdir [MARK]",
        "a: !apply%3aos.mkdir [MARK]",
        "a: !applyref%3aos.mkdir [MARK]",
        "a: !%69nclude:other.yaml",
        "a: !<tag:yaml.org,2002:python/object/apply:os.mkdir> [MARK]",
        "%TAG !e! !apply:os.\n---\na: !e!mkdir [MARK]",
        "%TAG ! !apply:os.\n---\na: !mkdir [MARK]",
        "a: !name:os.mkdir",
        "a: !module:os",
        "a: !new:subprocess.Popen [[mkdir, MARK]]",
        "a: !new:speechbrain_moe.lobes.gate.torch.nn.Linear [1, 1]",
        "a: !new:speechbrain_moe.lobes.gate.GatingCNN.__init__ [1]",
        "a: !include:/etc/passwd",
        "a: !include:other.yaml\n    b: 1",
        # References, which an export has resolved
        "a: 1\nb: !ref <a>",
        "a: {b: 1}\nc: !copy <a>",
        "a: 1\nb: !ref 9**9**9**9 + <a>",
        f"gate: {GATE}\n    n_experts: 2\na: !ref <gate.__class__>",
    ],
)
def test_tag_that_may_run_code_is_refused_unbuilt(check, text):
    with pytest.raises(PackageError, match=r"line \d+: .* would run code"):
        check(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: (!!python/object/apply:os.mkdir [MARK], 1)",
        'a: "(!!python/object/apply:os.mkdir [MARK], 1)"',
        "a: !tuple (!!python/object/apply:os.mkdir [MARK])",
        "a: !tuple x!!python/object/apply:os.mkdir [MARK]x",
    ],
)
def test_tuple_that_would_be_read_as_yaml_again_is_refused(check, text):
    with pytest.raises(PackageError, match="would run code"):
        check(text)


def test_text_as_it_is_written_anew_is_checked_too(check, monkeypatch):
    anew = StringIO("a: !apply:os.mkdir [MARK]")
    monkeypatch.setattr(graph_check, "resolve_references", lambda _: anew)
    with pytest.raises(PackageError, match="written anew, line 1: !apply"):
        check("a: 1")


def test_plain_values_aliases_and_tuples_pass(check):
    check(
        "n: &n 3\nx: *n\nz: &z {a: 1.5, b: null}\ny:\n    <<: *z\n"
        "t: (1, 2)\ns: 'hello!'\nf: true\n"
        f"gate: &g {GATE}\n    n_experts: *n\nagain: *g\n"
    )


def test_aliases_of_aliases_are_refused_before_they_are_walked(check):
    rows = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for n in range(1, 10):
        aliases = ", ".join([f"*a{n - 1}"] * 10)
        rows.append(f"a{n}: &a{n} [{aliases}]")
    with pytest.raises(PackageError, match="more than 100000 nodes"):
        check("\n".join(rows))


def test_an_alias_to_what_it_is_in_is_refused(check):
    with pytest.raises(PackageError, match="hyperparams.yaml"):
        check("a: &a [1, *a]")


def test_message_names_file_tag_line_and_the_way_to_allow_it(check):
    with pytest.raises(PackageError) as caught:
        check("a: 1\nb:\n    c: !name:my.own.Gate\n")
    said = str(caught.value)
    assert re.search(r"hyperparams.yaml, line 3: !name:my.own.Gate", said)
    assert "allow_code=True" in said


@pytest.mark.parametrize(
    "text",
    [
        "a: [1",
        "a: 1\n---\nb: 2",
        "a: *nowhere",
    ],
)
def test_graph_that_cannot_be_read_is_refused_by_name(check, text):
    with pytest.raises(PackageError, match="hyperparams.yaml cannot be read"):
        check(text)


def test_file_that_is_no_text_is_refused_by_name(tmp_path):
    path = tmp_path / "hyperparams.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PackageError, match="hyperparams.yaml cannot be read"):
        check_graph(path)


@pytest.mark.parametrize("kind", ["!new", "!name"])
@pytest.mark.parametrize("name", sorted(CLASSES))
def test_listed_classes_exist(kind, name):
    assert isinstance(pydoc.locate(name), type)
    assert names_class(f"{kind}:{name}")
    assert not names_class(f"{kind}:{name}.x")
