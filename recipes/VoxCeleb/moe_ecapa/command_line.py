"""The command line of train.py: SpeechBrain's, and every key of the yaml.

 * SpeechBrain takes some keys of the yaml for options of its own, which no
   hyperparams.yaml records, and lets a flag of its own take no value; here
   these keys are overrides as all others are

Authors
 * The speechbrain_moe developers 2026
"""

import speechbrain as sb

from speechbrain_moe.training.values import check_values

FLAG = "skip_nonfinite_grads"
KEYS = ("precision", "max_grad_norm", "ckpt_interval_minutes", FLAG)


def read_arguments(arguments):
    """Take a command line apart.

    Arguments
    ---------
    arguments : list of str
        As after the script's name.

    Returns
    -------
    str
        The yaml file.
    RunOptions
        SpeechBrain's options that were given.
    str
        Overrides of the yaml, as yaml; a key that was given twice is there
        twice.

    Raises
    ------
    HyperparameterError
        If an option of SpeechBrain cannot be taken.

    Example
    -------
    >>> given = ["a.yaml", "--skip_nonfinite_grads", "False", "--lr=0.1"]
    >>> _, options, overrides = read_arguments(given)
    >>> sorted(overrides.splitlines()), sorted(options.overridden_args)
    (['lr: 0.1', 'skip_nonfinite_grads: False'], [])
    """
    rest, found = take_keys(arguments)
    hparams_file, run_opts, overrides = sb.parse_arguments(rest)
    check_values({key: run_opts[key] for key in run_opts.overridden_args})
    return hparams_file, run_opts, "\n".join([overrides.rstrip("\n"), *found])


def take_keys(arguments):
    """Arguments without the keys that stand in ``KEYS``, and those.

    Arguments
    ---------
    arguments : list of str
        As after the script's name.

    Returns
    -------
    list of str
        The others, in their order.
    list of str
        Lines of yaml for these; the flag ``skip_nonfinite_grads`` without a
        value is True.

    Example
    -------
    >>> take_keys(["a.yaml", "--precision", "bf16", "--debug"])
    (['a.yaml', '--debug'], ['precision: bf16'])
    """
    rest, found, given = [], [], list(arguments)
    while given:
        word = given.pop(0)
        key, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or key not in KEYS:
            rest.append(word)
            continue
        is_bare = key == FLAG and given[:1] not in (["True"], ["False"])
        if not equals:
            value = "True" if is_bare or not given else given.pop(0)
        found.append(f"{key}: {value}")
    return rest, found
