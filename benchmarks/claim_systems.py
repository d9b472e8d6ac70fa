"""The systems of the experiment, each a few keys of claim.yaml.

 * each mixture names the dense ECAPA of equal active multiply-accumulates
   that it is compared with (``control``)
 * a dense width is set by the blocks in steps of eight and by the width of
   the MFA to within 2 %

Authors
 * The speechbrain_moe developers 2026
"""

from typing import NamedTuple

ALL_FOLDS = (0, 1, 2, 3)
TWO_FOLDS = (0, 1)


class System(NamedTuple):
    """What a run is made of, and where it is run.

    ``folds`` are of 0..3, "inner" or "test"; ``overrides`` are keys of
    claim.yaml; ``control`` is the system it is compared with, ``start`` the
    one whose weights of the same fold it starts from; ``tries`` counts the
    tuning tries behind its settings.
    """

    label: str
    group: str
    folds: tuple
    overrides: dict
    control: str | None = None
    start: str | None = None
    tries: int = 0


def dense(width, mfa=None, **more):
    """Keys of one ECAPA-TDNN."""
    return {
        "n_experts": 1,
        "selection": "uniform",
        "expert_channels": [*[width] * 4, mfa or 3 * width],
        **more,
    }


def mixture(width, mfa=None, **more):
    """Keys of four experts, soft unless they say otherwise."""
    return {"expert_channels": [*[width] * 4, mfa or 3 * width], **more}


DENSE = {**dense(96, 320), "lr": 0.004}

# Learning rates, for the dense control and for the mixture alike
TUNING = {
    f"{name}_lr{lr}": System(
        f"{label}, lr {lr}", "tuning", ("inner",), {**overrides, "lr": lr}
    )
    for lr in (0.002, 0.004, 0.001)
    for name, label, overrides in (
        ("t_dense", "one ECAPA, C=96", dense(96, 320)),
        ("t_soft", "4 x C=40, soft", mixture(40)),
    )
}

# More tries for the dense control, made last: they changed nothing, since
# the endpoint had been written down.
TUNING |= {
    f"t_dense_{name}": System(
        f"one ECAPA, {label}", "tuning", ("inner",), {**DENSE, **overrides}
    )
    for name, label, overrides in (
        ("wide", "C=104, narrower MFA", dense(104, 272)),
        ("lr0.008", "C=96, lr 0.008", {"lr": 0.008}),
        ("decay", "C=96, weight decay 0.001", {"weight_decay": 0.001}),
        ("margin0.1", "C=96, margin 0.1", {"margin": 0.1}),
        ("margin0.3", "C=96, margin 0.3", {"margin": 0.3}),
    )
}


def idea(label, overrides, start=None):
    """A try to better the mixture, on the inner split."""
    return System(
        label, "idea", ("inner",), overrides, "t_dense_lr0.004", start
    )


# As costly as the dense ECAPA C=96 (71 MMACs for 3 s) within 2 %, but for the
# larger kernels of i08 (5 % more) and the base that i07 starts from
IDEAS = {
    "i01_shared3_soft": idea(
        "3 shared blocks, 4 x C=48, soft", mixture(48, 160, n_shared_blocks=3)
    ),
    "i02_shared4_top1": idea(
        "4 shared blocks, 4 x C=96, top-1",
        mixture(96, 300, n_shared_blocks=4, selection="top_k"),
    ),
    "i03_shared5_soft": idea(
        "all shared but pooling, 4 x C=72, soft",
        mixture(72, 224, n_shared_blocks=5),
    ),
    "i04_always_on": idea(
        "4 shared blocks, C=72, always-on half + top-1 of 4",
        mixture(
            72,
            236,
            n_shared_blocks=4,
            selection="top_k",
            always_on_weight=0.5,
        ),
    ),
    "i05_bias_top2": idea(
        "4 shared blocks, 4 x C=72, top-2, loss-free bias",
        mixture(
            72,
            236,
            n_shared_blocks=4,
            selection="top_k",
            top_k=2,
            balance_weight=0.0,
            balance_bias_rate=0.001,
        ),
    ),
    "i06_raw": idea(
        "4 x C=40, soft, raw lengths mixed", mixture(40, mixing="raw")
    ),
    "i07_base": idea(
        "one ECAPA, C=48, half of the steps",
        dense(48, 160, n_epochs=5),
    ),
    "i07_upcycled_soft": idea(
        "3 shared blocks, 4 x C=48, soft, upcycled, expert dropout 0.25",
        mixture(
            48,
            160,
            n_shared_blocks=3,
            n_epochs=5,
            margin_epochs=[0, 0],
            init_noise=0.1,
            expert_dropout=0.25,
        ),
        start="i07_base",
    ),
    "i08_kernels": idea(
        "4 x C=40, soft, kernels of 3, 5, 7, 9 frames",
        mixture(
            40,
            expert_overrides=[
                {"kernel_sizes": [k, 3, 3, 3, 1]} for k in (3, 5, 7, 9)
            ],
        ),
    ),
    "i10_unlabelled_dense": idea(
        "one ECAPA, C=96, a third of unlabelled speech",
        dense(96, 320, n_unlabelled=16),
    ),
    "i10_unlabelled_soft": idea(
        "3 shared blocks, 4 x C=48, soft, a third of unlabelled speech",
        mixture(48, 160, n_shared_blocks=3, n_unlabelled=16),
    ),
    "i11_two": idea(
        "3 shared blocks, 2 x C=72, soft",
        mixture(72, 220, n_shared_blocks=3, n_experts=2),
    ),
    "i12_steady_gate": idea(
        "3 shared blocks, 4 x C=48, soft, normalised gate input, gate noise 1",
        mixture(
            48,
            160,
            n_shared_blocks=3,
            gate_input="normalised",
            gate_noise=1.0,
        ),
    ),
}

DENSE_LR = {"lr": 0.004}  # the best of three for each
HALF = {"n_epochs": 5}  # two stages of half the steps


def main(label, overrides, control=None, start=None, **more):
    """A system of the main table; three learning rates are behind each."""
    given = {"folds": TWO_FOLDS, "tries": 3, **more}
    return System(
        label=label,
        group="main",
        overrides=overrides,
        control=control,
        start=start,
        **given,
    )


MAIN = {
    "b_equal_macs": main(
        "(b) one ECAPA, equal MACs",
        dense(96, 320, **DENSE_LR),
        folds=ALL_FOLDS,
        tries=9,
    ),
    "j_shared3_soft": main(
        "(j) 3 shared blocks, 4 x C=48, soft",
        mixture(48, 160, n_shared_blocks=3),
        "b_equal_macs",
        folds=ALL_FOLDS,
        tries=12,
    ),
    "f_soft": main("(f) 4 x C=40, soft", mixture(40), "b_equal_macs"),
    "a_one_expert": main(
        "(a) one ECAPA, one expert's width", dense(40, **DENSE_LR)
    ),
    "i_oracle": main(
        "(i) oracle: gender x age class, 4 x C=40",
        mixture(40, selection="top_k", routing="oracle"),
        "a_one_expert",
    ),
    "h_base": main(
        "(h) one ECAPA C=96, half of the steps",
        dense(96, 300, **DENSE_LR, **HALF),
    ),
    "d_uniform": main(
        "(d) as (j), uniform weights",
        mixture(48, 160, n_shared_blocks=3, selection="uniform"),
    ),
    "c_equal_params": main(
        "(c) one ECAPA, as many parameters as (j)", dense(128, 384, **DENSE_LR)
    ),
    "e_shuffled": main(
        "(e) as (j), the gate sees another utterance",
        mixture(48, 160, n_shared_blocks=3, routing="shuffled"),
    ),
    "h_dense_continued": main(
        "(h) one ECAPA C=96, trained on",
        dense(96, 300, **DENSE_LR, **HALF, margin_epochs=[0, 0]),
        start="h_base",
    ),
    "h_upcycled": main(
        "(h) the same, upcycled: 3 shared blocks, top-1 of 4",
        mixture(
            96,
            300,
            n_shared_blocks=3,
            selection="top_k",
            gate_channels=[16, 16, 16],
            init_noise=0.1,
            margin_epochs=[0, 0],
            **DENSE_LR,
            **HALF,
        ),
        "h_dense_continued",
        start="h_base",
    ),
    "g_top1": main(
        "(g) 4 x C=40, top-1",
        mixture(40, selection="top_k"),
        "b_equal_macs_top1",
    ),
    "b_equal_macs_top1": main(
        "(b) one ECAPA, equal MACs to top-1", dense(40, 152, **DENSE_LR)
    ),
    "g_top2": main(
        "(g) 4 x C=40, top-2",
        mixture(40, selection="top_k", top_k=2),
        "b_equal_macs_top2",
    ),
    "b_equal_macs_top2": main(
        "(b) one ECAPA, equal MACs to top-2", dense(64, 212, **DENSE_LR)
    ),
    "j_two_soft": main(
        "(j) 3 shared blocks, 2 x C=72, soft",
        mixture(72, 220, n_shared_blocks=3, n_experts=2),
        "b_equal_macs",
        folds=ALL_FOLDS,
        tries=14,
    ),
}

# Trained on all dev speakers, and scored once on the test part
FINAL = {
    f"test_{name}": MAIN[name]._replace(
        group="final", folds=("test",), control=control
    )
    for name, control in (
        ("b_equal_macs", None),
        ("j_shared3_soft", "test_b_equal_macs"),
        ("c_equal_params", "test_b_equal_macs"),
    )
}

SYSTEMS = {**TUNING, **IDEAS, **MAIN, **FINAL}
# Written down before the first run of MAIN: see docs/experiment.md
ENDPOINT = {"moe": "j_shared3_soft", "dense": "b_equal_macs"}
