import pytest
import torch
import torch.nn.functional as F
from moe_probes import expert_similarity

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.lobes.expert_settings import build_expert
from speechbrain_moe.lobes.experts import ExpertBank
from speechbrain_moe.lobes.gate import GatingCNN
from speechbrain_moe.lobes.moe_ecapa import MoEECAPA
from speechbrain_moe.lobes.upcycle import perturb_experts, upcycle

SELECTIONS = [("soft", 1), ("top_k", 1), ("top_k", 2), ("uniform", 1)]


@pytest.fixture
def dense(tiny_expert, utterances):
    """A dense model whose batch normalisation has seen speech."""
    expert = build_expert(80, 32, tiny_expert)
    for module in expert.modules():
        if hasattr(module, "running_mean"):
            module.momentum = 1.0
    feats = utterances(16, 50)
    with torch.no_grad():
        expert.train()(feats - feats.mean(1, keepdim=True))
    return expert.eval()


@pytest.fixture
def mixture(tiny_expert):
    def make(selection="top_k", top_k=1, expert=tiny_expert, **settings):
        share = settings.get("always_on", 0)
        return MoEECAPA(
            GatingCNN(n_experts=4, channels=[16, 16]),
            ExpertBank(4, emb_dim=32, expert=expert, **settings),
            selection,
            top_k,
            always_on_weight=share,
        ).eval()

    return make


def learn_four_classes(model, utterances, n_steps):
    """A few steps of Adam on four classes that are easy to tell apart."""
    labels = torch.arange(4).repeat_interleave(8)
    pattern = 3 * torch.randn(4, 1, 80)
    beat = torch.sin(torch.arange(50) / 3).view(1, -1, 1)
    feats = utterances(32, 50) + pattern[labels] * beat
    classes = torch.nn.Parameter(torch.randn(4, 32))
    optimizer = torch.optim.Adam([*model.parameters(), classes], lr=0.01)
    model.train()
    for _ in range(n_steps):
        cosines = model(feats).squeeze(1) @ F.normalize(classes, dim=1).T
        optimizer.zero_grad()
        F.cross_entropy(10 * cosines, labels).backward()
        optimizer.step()
    return model.eval()


@torch.no_grad()
def raw_of_all(model, feats):
    counts = torch.full((len(feats),), feats.shape[1])
    return model.experts.run_all(feats - feats.mean(1, keepdim=True), counts)


def mean_similarity(model, utterances):
    """Mean cosine between two different experts, on unseen utterances."""
    cosines = expert_similarity(raw_of_all(model, utterances(32, 50, seed=7)))
    return ((cosines.sum() - cosines.trace()) / 12).item()


@pytest.mark.parametrize("selection, top_k", SELECTIONS)
@pytest.mark.parametrize("n_shared_blocks", [0, 2, 5])
def test_embedding_has_the_direction_of_the_dense_one(
    dense, mixture, utterances, selection, top_k, n_shared_blocks
):
    model = mixture(selection, top_k, n_shared_blocks=n_shared_blocks)
    feats = utterances(6, seed=3)
    wanted = dense(feats - feats.mean(1, keepdim=True))
    before = F.cosine_similarity(model(feats), wanted, dim=2)
    upcycle(model, dense.state_dict())
    after = F.cosine_similarity(model(feats), wanted, dim=2)
    assert before.max() < 0.9 and after.min() > 0.99999


def test_always_on_expert_is_a_copy_too(dense, mixture, utterances):
    model = mixture(always_on=0.5, n_shared_blocks=5)
    upcycle(model, dense.state_dict())
    raw = raw_of_all(model, utterances(4))
    assert raw.shape[1] == 5
    assert torch.allclose(expert_similarity(raw), torch.ones(5, 5), atol=1e-5)


def test_noise_tells_the_routed_experts_apart(dense, mixture, utterances):
    model = mixture()
    upcycle(model, dense.state_dict())
    perturb_experts(model, noise=0.1)
    cosines = expert_similarity(raw_of_all(model, utterances(8)))
    others = cosines[~torch.eye(4, dtype=bool)]
    assert 0.5 < others.min() and others.max() < 0.999


def test_noise_leaves_no_routed_expert_ahead(dense, mixture, utterances):
    model, feats = mixture(), utterances(8)
    upcycle(model, dense.state_dict())
    clean = raw_of_all(model, feats)
    perturb_experts(model, noise=0.1)
    moved = F.cosine_similarity(clean, raw_of_all(model, feats), dim=2)
    assert moved.mean(0).max() < 0.999


def test_noise_spares_all_but_convolutions_of_routed_experts(dense, mixture):
    model = mixture(always_on=0.5, n_shared_blocks=2)
    upcycle(model, dense.state_dict())
    before = {k: v.clone() for k, v in model.state_dict().items()}
    perturb_experts(model, noise=0.1)
    after = model.state_dict()
    changed = {k for k in before if not torch.equal(before[k], after[k])}
    own = [f"experts.experts.{i}." for i in range(4)]
    shared = ("experts.experts.0.blocks.0.", "experts.experts.0.blocks.1.")
    wanted = {
        key
        for key, value in before.items()
        if key.startswith(tuple(own)) and not key.startswith(shared)
        if value.dim() > 1
    }
    assert changed == wanted


def test_noise_is_a_share_of_each_weights_own_deviation(dense, mixture):
    model = mixture()
    upcycle(model, dense.state_dict())
    before = [w.clone() for w in model.experts.parameters()]
    perturb_experts(model, noise=0.25)
    for old, new in zip(before, model.experts.parameters()):
        if old.numel() > 1000:
            share = (new - old).std() / old.std()
            assert abs(share - 0.25) < 0.02


def test_noise_repeats_by_its_seed_alone(dense, mixture):
    models = [mixture() for _ in range(3)]
    for model, seed in zip(models, [1, 1, 2]):
        upcycle(model, dense.state_dict())
        perturb_experts(model, 0.1, seed)
    first, again, other = (m.experts.experts[0].fc.conv.weight for m in models)
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_zero_noise_changes_nothing(dense, mixture):
    model = mixture()
    upcycle(model, dense.state_dict())
    perturb_experts(model, noise=0)
    state = model.experts.experts[3].state_dict()
    for key, value in dense.state_dict().items():
        assert torch.equal(state[key], value)


@pytest.mark.parametrize("selection, top_k", SELECTIONS)
def test_experts_part_in_training_from_small_noise(
    dense, mixture, utterances, selection, top_k
):
    model = mixture(selection, top_k)
    upcycle(model, dense.state_dict())
    perturb_experts(model, noise=0.05)
    start = mean_similarity(model, utterances)
    learn_four_classes(model, utterances, n_steps=8)
    end = mean_similarity(model, utterances)
    assert 0.9 < start < 0.99 and end < start - 0.05, (
        f"mean cosine of two experts: {start:.3f} before, {end:.3f} after"
    )


def test_equal_experts_part_by_the_gate_fast_with_top_k_slowly_with_soft(
    dense, mixture, utterances
):
    ends = {}
    for selection in ("soft", "top_k"):
        model = mixture(selection)
        upcycle(model, dense.state_dict())
        learn_four_classes(model, utterances, n_steps=8)
        ends[selection] = mean_similarity(model, utterances)
    assert ends["top_k"] + 0.1 < ends["soft"] < 0.999, ends


def test_equal_experts_stay_equal_under_uniform_weights(
    dense, mixture, utterances
):
    model = mixture("uniform")
    upcycle(model, dense.state_dict())
    learn_four_classes(model, utterances, n_steps=8)
    raw = raw_of_all(model, utterances(8, 50))
    assert torch.equal(raw, raw[:, :1].expand_as(raw))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"channels": [8, 16, 16, 16, 48]}, r"blocks.0.*expert_channels"),
        ({"channels": [16] * 4 + [96]}, r"mfa.*\[48, .*\[96,.*expert_channels"),
        ({"channels": [16] * 5 + [48]}, r"blocks.4.*not there.*_channels"),
        ({"kernel_sizes": [3, 3, 3, 3, 1]}, r"blocks.0.*expert_kernel_sizes"),
        ({"kernel_sizes": [5, 5, 3, 3, 1]}, r"res2net.*expert_kernel_sizes"),
        ({"res2net_scale": 2}, r"res2net.*expert_res2net_scale"),
        ({"se_channels": 8}, r"se_block.*expert_se_channels"),
        ({"attention_channels": 8}, r"asp\..*expert_attention_channels"),
    ],
)
def test_expert_of_another_shape_is_refused_by_weight_and_key(
    dense, mixture, tiny_expert, change, message
):
    expert = {**tiny_expert, **change}
    if len(expert["channels"]) == 6:
        expert["kernel_sizes"] = [5, 3, 3, 3, 3, 1]
        expert["dilations"] = [1, 2, 3, 4, 4, 1]
        expert["groups"] = [1] * 6
    model = mixture(expert=expert)
    with pytest.raises(HyperparameterError, match=f"init_from.*{message}"):
        upcycle(model, dense.state_dict())


def test_embedding_of_another_size_is_refused(mixture, tiny_expert):
    state = build_expert(80, 16, tiny_expert).state_dict()
    with pytest.raises(HyperparameterError, match=r"fc\..*emb_dim"):
        upcycle(mixture(), state)


@pytest.mark.parametrize("n_shared_blocks", [0, 5])
@pytest.mark.parametrize("lost", ["fc.conv.bias", "blocks.1.tdnn1.norm.norm"])
def test_state_that_is_not_whole_is_refused_and_changes_nothing(
    dense, mixture, n_shared_blocks, lost
):
    model = mixture(n_shared_blocks=n_shared_blocks)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    state = dense.state_dict()
    state = {k: v for k, v in state.items() if not k.startswith(lost)}
    with pytest.raises(HyperparameterError, match=f"{lost}.*not there in the"):
        upcycle(model, state)
    after = model.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before)


def test_weight_that_no_expert_has_is_refused(dense, mixture):
    state = {**dense.state_dict(), "gate.weight": torch.ones(2)}
    with pytest.raises(HyperparameterError, match=r"gate.weight is \[2\] in"):
        upcycle(mixture(), state)


@pytest.mark.parametrize("noise", [-0.1, float("nan"), float("inf")])
def test_noise_below_zero_or_not_finite_is_refused(mixture, noise):
    with pytest.raises(HyperparameterError, match="init_noise is .*choose 0"):
        perturb_experts(mixture(), noise)
