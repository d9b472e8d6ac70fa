"""Each key of a recipe's yaml does something, and can be overridden."""

import re
from pathlib import Path

import pytest
import ruamel.yaml
import speechbrain as sb
import training_lists
import verify
from speechbrain.utils.run_opts import RunOptions

from speechbrain_moe.inference import experiment
from speechbrain_moe.training import brain as brain_module
from speechbrain_moe.training import settings as settings_module

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "VoxCeleb" / "moe_ecapa"
GRAPH = ROOT / "hparams" / "moe_ecapa.yaml"
EVERY_FILE = sorted((RECIPE / "hparams").glob("*.yaml"))
STAGES = [path for path in EVERY_FILE if "stage_of:" in path.read_text()]
FILES = [path for path in EVERY_FILE if path not in STAGES]
READERS = (
    RECIPE / "train.py",
    RECIPE / "speaker_brain.py",
    RECIPE / "training_data.py",
    RECIPE / "live_data.py",
    Path(experiment.__file__),
    Path(training_lists.__file__),
    Path(verify.__file__),
    Path(brain_module.__file__),
    Path(settings_module.__file__),
)

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


def load(path):
    with open(path, encoding="utf-8") as file:
        return ruamel.yaml.YAML().load(file)


def is_plain(node):
    """Whether a value is one a user may set: no object of Python's."""
    tag = getattr(node, "tag", None)
    tag = str(getattr(tag, "value", tag) or "")
    return not tag.startswith(("!new", "!name", "!apply", "!ref", "!include"))


def plain_keys(tree):
    """Keys with plain values; of the graph, without its modules."""
    named = {"modules", "pretrainer", "model"}
    return [k for k in tree if is_plain(tree[k]) and k not in named]


def everything(path):
    """Keys and values of a yaml file, be it whole or a stage."""
    tree = load(path)
    if "stage_of" not in tree:
        return tree
    return {**everything(path.with_name(tree.pop("stage_of"))), **tree}


@pytest.fixture(scope="session")
def reads():
    """Whether a program of the recipe, or SpeechBrain, reads a key."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in READERS)
    brain_options = RunOptions().as_dict()

    def is_read(key):
        forms = (
            rf"""(settings|hparams|tree)(\.get\(|\[)["']{key}["']"""
            rf"""|hparams(\.|, ["']){key}\b"""
        )
        return key in brain_options or re.search(forms, source) is not None

    return is_read


def test_there_are_files_and_a_graph():
    assert len(FILES) >= 1 and GRAPH.is_file()
    assert {"n_experts", "top_k", "expert_channels"} <= set(
        plain_keys(load(GRAPH))
    )


@every_file
def test_every_value_of_the_graph_is_owned_by_the_training_yaml(path):
    """HyperPyYAML refuses to override what stands in an include alone."""
    tree, wanted = load(path), plain_keys(load(GRAPH))
    handed_on = {key: str(value) for key, value in tree["model"].items()}
    for key in wanted:
        assert key in tree, f"{path.name} lacks {key}"
        assert re.search(rf"<{key}>", handed_on.get(key, "")), key


@every_file
def test_nothing_is_handed_to_the_graph_that_it_does_not_know(path):
    assert set(load(path)["model"]) <= set(plain_keys(load(GRAPH)))


@every_file
def test_the_include_leads_to_the_graph(path):
    (included,) = re.findall(r"!include:(\S+)", path.read_text())
    assert (path.parent / included).resolve() == GRAPH


@every_file
def test_every_top_level_key_is_used(path, reads):
    text, tree = path.read_text(encoding="utf-8"), load(path)
    idle = [
        key
        for key in tree
        if not re.search(rf"<{key}[>\[]", text)
        and not reads(key)
        and not key.startswith("__")
        and key != "model"
    ]
    assert idle == []


@every_file
def test_no_key_is_short_for_an_option_of_speechbrain(path):
    """On the command line ``--optimizer`` sets optimizer_step_limit."""
    own = [key for key in load(path) if key not in RunOptions().as_dict()]
    given = [str(path), *(f"--{key}=1" for key in own)]
    _, _, overrides = sb.parse_arguments(given)
    assert overrides.splitlines() == [f"{key}: 1" for key in own]


@every_file
def test_every_reference_leads_to_a_key(path):
    text, tree = path.read_text(encoding="utf-8"), load(path)
    names = set(re.findall(r"<(\w+)[>\[]", re.sub(r"#.*", "", text)))
    assert names <= set(tree)


@every_file
def test_every_setting_that_programs_read_is_there(path):
    """A key that train.py or settings.py asks for and no yaml has."""
    source = "\n".join(file.read_text(encoding="utf-8") for file in READERS)
    asked = set(re.findall(r"settings\[[\"'](\w+)[\"']\]", source))
    asked |= set(re.findall(r"\bhparams\.(\w+)", source))
    made_by_count_data = {"speakers"}
    assert asked - set(load(path)) <= made_by_count_data


@pytest.mark.parametrize("path", STAGES, ids=lambda path: path.name)
def test_a_stage_holds_nothing_but_changed_keys_of_its_yaml(path):
    stage = load(path)
    whole = everything(path.with_name(stage.pop("stage_of")))
    assert set(stage) <= set(plain_keys(whole)) | {"output_folder"}
    same = [key for key, value in stage.items() if whole[key] == value]
    assert set(same) <= {"n_hard_speakers"}  # off, whatever the first had


@every_file
def test_the_seed_is_set_before_anything_is_drawn(path):
    assert list(load(path))[:2] == ["seed", "__set_seed"]
