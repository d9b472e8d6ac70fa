import pytest

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.training.values import (
    NUMBERS,
    SOURCES,
    SWITCHES,
    WHOLE,
    check_values,
)


@pytest.mark.parametrize("key", WHOLE)
@pytest.mark.parametrize("value", [-1, 2.5, "two", None, True, [1]])
def test_what_is_no_whole_number_is_refused_by_key(key, value):
    with pytest.raises(HyperparameterError, match=f"{key} is .* whole number"):
        check_values({key: value})


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize("value", [-1000, "abc", None, float("nan"), [1.0]])
def test_what_is_no_number_in_range_is_refused_by_key(key, value):
    with pytest.raises(HyperparameterError, match=f"{key} is .* a number"):
        check_values({key: value})


@pytest.mark.parametrize("value", [64, None, [16, "a"], [16, 0]])
def test_channels_are_a_list_of_whole_numbers(value):
    with pytest.raises(HyperparameterError, match="expert_channels is"):
        check_values({"expert_channels": value})


@pytest.mark.parametrize("value", [{}, [None], "text", [[]]])
def test_expert_overrides_are_dicts(value):
    with pytest.raises(HyperparameterError, match="expert_overrides is"):
        check_values({"expert_overrides": value})


@pytest.mark.parametrize("speeds", [[1.0], [1.0, 0.9, 1.1]])
def test_values_in_range_pass(speeds):
    check_values({"speeds": speeds, "margin": 0, "n_epochs": 1, "lr": 1e-3})


def test_save_folder_stays_inside_the_output_folder():
    check_values({"output_folder": "a/b", "save_folder": "a/b/save"})
    with pytest.raises(HyperparameterError, match="save_folder is 'c'"):
        check_values({"output_folder": "a/b", "save_folder": "c"})


@pytest.mark.parametrize("key", SOURCES)
@pytest.mark.parametrize("value", [3, True, [], ["a", 3]])
def test_a_source_is_a_path_or_null(key, value):
    with pytest.raises(HyperparameterError, match=f"{key} is .*or null"):
        check_values({key: value})


def test_experts_may_have_a_source_each():
    check_values({"init_from": ["a", "b/c"]})


@pytest.mark.parametrize("key", [k for k in SOURCES if k != "init_from"])
def test_nothing_else_has_several_sources(key):
    with pytest.raises(HyperparameterError, match=f"{key} is .*or null"):
        check_values({key: ["a", "b/c"]})


@pytest.mark.parametrize("key", SWITCHES)
@pytest.mark.parametrize("value", ["no", None, 1])
def test_a_switch_is_on_or_off(key, value):
    with pytest.raises(HyperparameterError, match=f"{key} is .* True or False"):
        check_values({key: value})


LONE = [
    ({"unlabelled_folder": "u"}, "unlabelled_folder is 'u'.*teacher alone"),
    ({"distill_weight": 1.0}, "distill_weight is 1.0 and teacher_embeddings"),
    ({"pairwise_weight": 2}, "pairwise_weight is 2 and teacher_embeddings"),
    ({"centre_teacher": "no"}, "centre_teacher is 'no': choose True or False"),
    ({"centre_teacher": True}, "centre_teacher is True and teacher_embeddings"),
    ({"voice_prob": 1.5}, "voice_prob is 1.5: choose a number from 0 to 1"),
    ({"teacher_embeddings": "t.npz"}, "'t.npz', and distill_weight and pair"),
]


@pytest.mark.parametrize("settings, said", LONE, ids=str)
def test_a_teacher_and_its_weight_are_given_together(settings, said):
    with pytest.raises(HyperparameterError, match=said):
        check_values({"distill_weight": 0, **settings})


OF_4 = {"n_experts": 4, "selection": "top_k", "top_k": 1}


@pytest.mark.parametrize(
    "changes", [{"selection": "soft"}, {"selection": "uniform"}, {"top_k": 4}]
)
def test_a_bias_is_refused_where_nothing_is_chosen_by_it(changes):
    given = {**OF_4, "balance_bias_rate": 0.01}
    with pytest.raises(HyperparameterError, match="choose selection top_k of"):
        check_values({**given, **changes})
    check_values(given)
    check_values({**OF_4, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"top_k": 4},
        {"n_experts": 1},
        {"n_experts": 2, "execution": "sparse"},
        {"n_experts": 1, "selection": "soft"},
    ],
)
def test_dropout_is_refused_where_no_expert_can_be_left_out(changes):
    given = {**OF_4, "execution": "dense", "expert_dropout": 0.3}
    with pytest.raises(HyperparameterError, match="none can be left out"):
        check_values({**given, **changes})
    check_values(given)
    check_values({**given, **changes, "expert_dropout": 0})


@pytest.mark.parametrize(
    "changes", [{"selection": "uniform"}, {"n_experts": 1}]
)
@pytest.mark.parametrize(
    "key", ["gate_noise", "temperature_start", "temperature_end"]
)
def test_settings_of_a_gate_are_refused_where_there_is_none(changes, key):
    with pytest.raises(HyperparameterError, match=f"{key} is 0.5 .* no gate"):
        check_values({**OF_4, **changes, key: 0.5})
    check_values({**OF_4, key: 0.5})
    idle = {"gate_noise": 0, "temperature_start": 1, "temperature_end": 1.0}
    check_values({**OF_4, **changes, **idle})


def test_experts_are_not_frozen_where_nothing_else_could_learn():
    given = {"freeze_experts": True, "selection": "uniform", "init_from": "a"}
    with pytest.raises(HyperparameterError, match="choose selection soft or"):
        check_values(given)
    check_values({**given, "selection": "soft"})
    check_values({**given, "freeze_experts": False})


FROZEN = {
    "freeze_experts": True,
    "selection": "soft",
    "n_experts": 2,
    "init_from": "a",
    "init_noise": 0.0,
}


def test_hearings_without_a_live_teacher_are_refused():
    with pytest.raises(HyperparameterError, match="n_hearings is 2 and live"):
        check_values({"n_hearings": 2, "live_teacher": None})
    check_values({"n_hearings": 1, "live_teacher": None})


def test_no_speaker_loss_without_a_teacher_is_refused():
    given = {"speaker_weight": 0, "teacher_embeddings": None}
    with pytest.raises(HyperparameterError, match="speaker_weight is 0 and"):
        check_values({**given, "distill_weight": 0, "pairwise_weight": 0})
    given["teacher_embeddings"] = "t.npz"
    check_values({**given, "distill_weight": 1, "pairwise_weight": 0})


def test_random_experts_are_not_frozen():
    given = {"freeze_experts": True, "selection": "soft", "init_from": None}
    with pytest.raises(HyperparameterError, match="init_from and finetune_fr"):
        check_values(given)
    check_values({**given, "finetune_from": "package"})


def test_one_expert_is_not_frozen_as_a_gate_over_it_learns_nothing():
    given = {"freeze_experts": True, "selection": "soft", "init_from": "a"}
    wanted = "freeze_experts is True and n_experts 1: .* give more"
    with pytest.raises(HyperparameterError, match=wanted):
        check_values({**given, "n_experts": 1, "init_noise": 0})
    with pytest.raises(HyperparameterError, match=wanted):
        check_values({**FROZEN, "n_experts": 1, "init_from": ["a"]})
    check_values({**given, "n_experts": 1, "freeze_experts": False})
    # How many there are says the source
    tuned = {"init_from": None, "finetune_from": "a"}
    check_values({**FROZEN, **tuned, "n_experts": 1})


def test_copies_are_not_frozen_as_a_gate_over_them_learns_nothing():
    wanted = "freeze_experts is True, init_from 'a' and init_noise 0.0: .*0.1"
    with pytest.raises(HyperparameterError, match=wanted):
        check_values(FROZEN)
    check_values({**FROZEN, "freeze_experts": False})


@pytest.mark.parametrize(
    "changes",
    [
        {"init_noise": 0.1},
        {"init_from": ["a", "b"]},
        {"init_from": None, "finetune_from": "a"},
    ],
)
def test_experts_that_differ_may_be_frozen(changes):
    check_values({**FROZEN, **changes})


def test_noise_of_experts_is_refused_where_each_has_its_own_source():
    with pytest.raises(HyperparameterError, match="init_noise .* init_from"):
        check_values({"init_noise": 0.1, "init_from": ["one", "two"]})


def test_noise_of_experts_is_refused_without_what_they_start_from():
    with pytest.raises(HyperparameterError, match="init_noise .* init_from"):
        check_values({"init_noise": 0.1, "init_from": None})
    check_values({"init_noise": 0.1, "init_from": "ecapa"})


def test_two_sources_of_the_experts_are_refused():
    with pytest.raises(HyperparameterError, match="init_from .* finetune_from"):
        check_values({"init_from": "ecapa", "finetune_from": "package"})


@pytest.mark.parametrize("value", [[], 0, False, 5, [1], {}])
def test_trial_list_is_a_path_a_list_of_them_or_null(value):
    with pytest.raises(HyperparameterError, match="trial_list is"):
        check_values({"trial_list": value})
    for fits in (None, "O", ["O", "trials.txt"]):
        check_values({"trial_list": fits})


def test_hard_speakers_are_refused_without_a_margin():
    with pytest.raises(HyperparameterError, match="hard_margin 0: give"):
        check_values({"n_hard_speakers": 5, "hard_margin": 0.0})
    check_values({"n_hard_speakers": 5, "hard_margin": 0.06})
    check_values({"n_hard_speakers": 0, "hard_margin": 0})


def test_a_teacher_with_a_weight_passes():
    given = {"teacher_embeddings": "t.npz", "unlabelled_folder": "u"}
    check_values({**given, "distill_weight": 0, "pairwise_weight": 1.0})


@pytest.mark.parametrize(
    "key, value",
    [
        ("max_grad_norm", 0),
        ("lr", 0),
        ("metadata", 5),
        ("noise_folder", 5),
        ("rir_folder", ["a"]),
        ("tensorboard", "no"),
        ("skip_nonfinite_grads", "no"),
        ("grad_accumulation_factor", 2),
        ("precision", "fp64"),
        ("precision", None),
        ("ckpt_interval_minutes", -1),
        ("speeds", [1.0, 1.004]),
        ("speeds", [1.0, 0.9, 0.904]),
    ],
)
def test_values_that_undo_a_training_are_refused(key, value):
    with pytest.raises(HyperparameterError, match=f"{key} is"):
        check_values({key: value})
