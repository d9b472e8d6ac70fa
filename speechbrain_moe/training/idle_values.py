"""Values of a training yaml that would change nothing, or each other.

Authors
 * The speechbrain_moe developers 2026
"""

from speechbrain_moe.errors import HyperparameterError

# Of the gate, and the values that change nothing
IDLE_GATE = {
    "gate_noise": 0.0,
    "temperature_start": 1.0,
    "temperature_end": 1.0,
}


def check_effect(settings):
    """Refuse values that would change nothing, for want of another one.

    Arguments
    ---------
    settings : dict
        Values by key.

    Raises
    ------
    HyperparameterError
        The message names the keys to change.
    """
    check_choosing(settings)
    n_hard = settings.get("n_hard_speakers")
    if n_hard and settings.get("hard_margin") == 0:
        raise HyperparameterError(
            f"n_hard_speakers is {n_hard} and hard_margin 0: give the hard "
            "speakers a margin, such as 0.06, or 0 of them"
        )
    init, tuned = map(settings.get, ("init_from", "finetune_from"))
    if init is not None and tuned is not None:
        raise HyperparameterError(
            f"init_from is {init!r} and finetune_from {tuned!r}: both fill "
            "the experts, so give one of them"
        )
    if settings.get("freeze_experts"):
        check_frozen(settings)
    noise = settings.get("init_noise")
    if noise and isinstance(init, (list, tuple)):
        raise HyperparameterError(
            f"init_noise is {noise} and init_from a list: experts that were "
            "trained apart differ already, so give noise 0"
        )
    if noise and settings.get("init_from") is None:
        raise HyperparameterError(
            f"init_noise is {noise} and init_from null: give what the experts "
            "start from, or noise 0"
        )
    n_hearings = settings.get("n_hearings")
    if n_hearings not in (1, None) and settings.get("live_teacher") is None:
        raise HyperparameterError(
            f"n_hearings is {n_hearings} and live_teacher null: no batch is "
            "kept to be heard again, so give 1"
        )


def check_frozen(settings):
    """Refuse to freeze experts that leave a gate nothing to learn.

    Arguments
    ---------
    settings : dict
        Values by key, with freeze_experts True.

    Raises
    ------
    HyperparameterError
        The message names the keys to change.

    Example
    -------
    >>> check_frozen({"n_experts": 1})
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.HyperparameterError: freeze_experts is True and
    n_experts 1: a gate over one changes nothing, so give more, or False
    """
    if settings.get("selection") == "uniform":
        raise HyperparameterError(
            "freeze_experts is True and selection uniform: there is no gate "
            "that could learn, so choose selection soft or top_k, or False"
        )
    if settings.get("finetune_from") is not None:
        return  # whose model it is
    if settings.get("n_experts") == 1:
        raise HyperparameterError(
            "freeze_experts is True and n_experts 1: a gate over one changes "
            "nothing, so give more, or False"
        )
    init = settings.get("init_from")
    if init is None:
        raise HyperparameterError(
            "freeze_experts is True, and init_from and finetune_from null: "
            "random experts would stay so; give one of them, or False"
        )
    if isinstance(init, str) and settings.get("init_noise") == 0:
        raise HyperparameterError(
            f"freeze_experts is True, init_from {init!r} and init_noise "
            f"{settings['init_noise']}: a gate over copies changes nothing, "
            "so give noise, such as 0.1, or a list of sources, or False"
        )


def check_choosing(settings):
    """Refuse values of a choice of experts where there is none.

    Arguments
    ---------
    settings : dict
        Values by key.

    Raises
    ------
    HyperparameterError
        The message names the keys to change.
    """
    keys = ("n_experts", "selection", "top_k")
    n_experts, selection, top_k = map(settings.get, keys)
    n_kept = 1  # at least
    if selection == "top_k" and top_k:
        has_rival = top_k == 1 and settings.get("execution") == "sparse"
        n_kept = top_k + has_rival
    what = f"selection {selection}, top_k {top_k} of {n_experts} experts"
    rate = settings.get("balance_bias_rate")
    chooses = selection not in ("soft", "uniform") and top_k != n_experts
    if rate and not chooses:
        raise HyperparameterError(
            f"balance_bias_rate is {rate} and {what}: the bias takes part in "
            "a choice of experts, so choose selection top_k of fewer than "
            "there are, or rate 0"
        )
    dropout = settings.get("expert_dropout")
    if dropout and n_experts is not None and n_kept >= n_experts:
        raise HyperparameterError(
            f"expert_dropout is {dropout} and {what}: none can be left out, "
            "so give 0, or more experts"
        )
    if selection != "uniform" and n_experts != 1:
        return
    for key, idle in IDLE_GATE.items():
        if settings.get(key, idle) != idle:
            raise HyperparameterError(
                f"{key} is {settings[key]} and {what}: there is no gate that "
                f"it could change, so give {idle}"
            )
