"""Experts that were trained apart, each from a source of its own."""

import pytest
import torch
import torch.nn.functional as F
from stock_folder import settled_state, write_stock_folder

from speechbrain_moe.errors import HyperparameterError, PackageError
from speechbrain_moe.inference.dense_source import open_encoder
from speechbrain_moe.inference.init_each import init_each
from speechbrain_moe.inference.routing import run_every_expert
from speechbrain_moe.lobes.experts import ExpertBank
from speechbrain_moe.lobes.features import MarkedFbank
from speechbrain_moe.lobes.gate import GatingCNN
from speechbrain_moe.lobes.moe_ecapa import MoEECAPA, PassThrough

NARROW = [8, 8, 8, 8, 24]


@pytest.fixture(scope="module")
def sources(tmp_path_factory, tiny_expert, voices):
    """Stock folders: two networks, one turned in its space, a narrow one."""
    root, wavs = tmp_path_factory.mktemp("sources"), voices(16, seed=9)
    states = {
        "one": settled_state(tiny_expert, wavs, seed=5),
        "two": settled_state(tiny_expert, wavs, seed=6),
        "narrow": settled_state({**tiny_expert, "channels": NARROW}, wavs, 7),
    }
    turn = torch.linalg.qr(torch.randn(32, 32)).Q
    states["turned"] = dict(states["one"])
    for key in ("fc.conv.weight", "fc.conv.bias"):
        weight = states["one"][key]
        states["turned"][key] = torch.tensordot(turn, weight, 1)
    folders = {}
    for name, state in states.items():
        (root / name).mkdir()
        given = (str([16, 16, 16, 16, 48]), str(NARROW))
        given = given if name == "narrow" else ()
        folders[name] = str(write_stock_folder(root / name, state, *given))
    return folders


@pytest.fixture(scope="module")
def graph(tiny_expert):
    """The modules of a training, up to the embedding."""

    def make(n_experts=2, n_mels=80, always_on_weight=0.0, **bank):
        bank["always_on"] = always_on_weight
        model = MoEECAPA(
            GatingCNN(n_mels, n_experts=n_experts, channels=[16, 16]),
            ExpertBank(n_experts, n_mels, 32, tiny_expert, **bank),
            "soft",
            1,
            always_on_weight=always_on_weight,
        )
        return {
            "compute_features": MarkedFbank(n_mels=n_mels),
            "mean_var_norm": PassThrough(),
            "embedding_model": model,
        }

    return make


@pytest.fixture(scope="module")
def joined(sources, graph, voices):
    """Modules by the names of their experts' sources."""
    made = {}

    def join(*names, **changes):
        if names not in made:
            modules = graph(len(names), **changes)
            chosen = [sources[name] for name in names]
            init_each(modules, chosen, voices(40, 8000, seed=1))
            modules["embedding_model"].eval()
            made[names] = modules
        return made[names]

    return join


@torch.no_grad()
def each_alone(modules, wavs):
    """Unit embeddings of every expert [E, N, D]."""
    feats = modules["compute_features"](wavs)
    raw = run_every_expert(modules["embedding_model"], feats)
    return F.normalize(raw, dim=2).transpose(0, 1)


def source_alone(folder, wavs):
    """Unit embeddings of a source [N, D]."""
    return F.normalize(open_encoder(folder).encode_batch(wavs).squeeze(1))


@pytest.mark.parametrize(
    "names, changes",
    [
        (("one", "two"), {}),
        (("one", "narrow"), {"expert_overrides": [{}, {"channels": NARROW}]}),
        (("narrow", "two"), {"expert_overrides": [{"channels": NARROW}, {}]}),
        (("two", "turned", "one"), {}),
    ],
    ids=str,
)
def test_each_expert_has_the_cosines_of_its_source(
    joined, sources, voices, names, changes
):
    wavs = voices(8, 12000, seed=2)
    found = each_alone(joined(*names, **changes), wavs)
    for name, units in zip(names, found, strict=True):
        wanted = source_alone(sources[name], wavs)
        assert torch.allclose(units @ units.T, wanted @ wanted.T, atol=1e-5)


def test_cosines_of_the_sources_differ(sources, voices):
    wavs = voices(8, 12000, seed=2)
    units = [source_alone(sources[name], wavs) for name in ("one", "two")]
    grams = [unit @ unit.T for unit in units]
    assert (grams[0] - grams[1]).abs().max() > 0.1


def test_the_first_expert_is_its_source(joined, sources, voices):
    wavs = voices(4, seed=2)
    found = each_alone(joined("one", "two"), wavs)[0]
    assert torch.allclose(found, source_alone(sources["one"], wavs), atol=1e-5)


@pytest.mark.parametrize("other, changes", [("two", {}), ("narrow", None)])
def test_the_others_come_into_the_space_of_the_first(
    joined, sources, voices, other, changes
):
    if changes is None:
        changes = {"expert_overrides": [{}, {"channels": NARROW}]}
    wavs = voices(16, 12000, seed=2)  # not what they were aligned by
    first = source_alone(sources["one"], wavs)
    before = (source_alone(sources[other], wavs) * first).sum(1)
    after = each_alone(joined("one", other, **changes), wavs)
    after = (after[1] * first).sum(1)
    assert after.mean() > before.mean() + 0.1


def test_a_network_turned_in_its_space_is_turned_back(joined, sources, voices):
    wavs = voices(8, 12000, seed=2)
    first = source_alone(sources["one"], wavs)
    turned = source_alone(sources["turned"], wavs)
    assert (turned * first).sum(1).max() < 0.9
    found = each_alone(joined("one", "turned"), wavs)
    assert torch.allclose(found[1], found[0], atol=1e-3)


def test_an_expert_that_is_always_on_has_a_source_too(sources, graph, voices):
    modules = graph(1, always_on_weight=0.3)
    names = ("one", "turned")
    init_each(modules, [sources[name] for name in names], voices(40, 8000))
    modules["embedding_model"].eval()
    found = each_alone(modules, voices(4, seed=2))
    assert torch.allclose(found[0], found[1], atol=1e-3)


@pytest.mark.parametrize("training", [True, False])
def test_modules_stay_in_the_mode_they_were_in(
    sources, graph, voices, training
):
    modules = graph()
    modules["embedding_model"].train(training)
    init_each(modules, [sources["one"], sources["two"]], voices(40, 8000))
    parts = modules["embedding_model"].modules()
    assert {part.training for part in parts} == {training}


@pytest.mark.parametrize(
    "names, changes, message",
    [
        (["one"], {}, "init_from names 1 sources, and there are 2 experts"),
        (["one"] * 3, {}, "init_from names 3 sources, and there are 2"),
        (
            ["one", "two"],
            {"always_on_weight": 0.3},
            r"init_from names 2 sources, and there are 3 experts \(with one",
        ),
        (
            ["one", "two"],
            {"n_shared_blocks": 3},
            "n_shared_blocks is 3, .*give n_shared_blocks 0",
        ),
        (
            ["one", "narrow"],
            {},
            "does not fit expert 1: .* expert_channels.*expert_overrides",
        ),
        (
            ["one", "two"],
            {"expert_overrides": [{"channels": NARROW}, {}]},
            "does not fit expert 0: .* expert_channels",
        ),
        (["one", "two"], {"n_mels": 60}, "n_mels 80 and .* has 60; set n_mels"),
        (
            ["one", "two"],
            {"expert_overrides": [{}, {"dilations": [1, 2, 2, 2, 1]}]},
            "expert 1 .* gives other embeddings .* expert_dilations",
        ),
    ],
    ids=str,
)
def test_sources_that_do_not_fit_are_refused_by_key(
    sources, graph, voices, names, changes, message
):
    chosen = [sources[name] for name in names]
    with pytest.raises(HyperparameterError, match=message):
        init_each(graph(**changes), chosen, voices(40, 8000))


def test_a_refusal_leaves_the_experts_as_they_were(sources, graph, voices):
    modules = graph()
    before = {
        key: weight.clone()
        for key, weight in modules["embedding_model"].state_dict().items()
    }
    chosen = [sources["one"], sources["narrow"]]
    with pytest.raises(HyperparameterError):
        init_each(modules, chosen, voices(40, 8000))
    after = modules["embedding_model"].state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_a_source_that_is_not_there_is_named(sources, graph, voices):
    chosen = [sources["one"], "./nowhere/at/all"]
    with pytest.raises(PackageError, match="init_from: .*nowhere/at/all"):
        init_each(graph(), chosen, voices(40, 8000))


def test_too_few_recordings_to_turn_by_are_refused(sources, graph, voices):
    given = [sources["one"], sources["two"]]
    with pytest.raises(HyperparameterError, match="init_from .* 31 recordings"):
        init_each(graph(), given, voices(31, 8000))
