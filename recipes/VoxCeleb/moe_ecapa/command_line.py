"""The command line of train.py: SpeechBrain's, and every key of the yaml.

 * SpeechBrain takes some keys of the yaml for options of its own, which no
   hyperparams.yaml records, and lets a flag of its own take no value; here
   these keys are overrides as all others are

Authors
 * The speechbrain_moe developers 2026
"""

import speechbrain as sb

KEYS = (
    "precision",
    "max_grad_norm",
    "skip_nonfinite_grads",
    "ckpt_interval_minutes",
)


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
        Overrides of the yaml, as yaml.

    Example
    -------
    >>> given = ["a.yaml", "--skip_nonfinite_grads", "False", "--lr=0.1"]
    >>> _, options, overrides = read_arguments(given)
    >>> sorted(overrides.splitlines()), sorted(options.overridden_args)
    (['lr: 0.1', 'skip_nonfinite_grads: False'], [])
    """
    rest, found = take_keys(arguments)
    hparams_file, run_opts, overrides = sb.parse_arguments(rest)
    lines = [f"{key}: {value}" for key, value in found.items()]
    return hparams_file, run_opts, "\n".join([overrides.rstrip("\n"), *lines])


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
    dict
        Value by key, as text; True where none is given.

    Example
    -------
    >>> take_keys(["a.yaml", "--precision", "bf16", "--debug"])
    (['a.yaml', '--debug'], {'precision': 'bf16'})
    """
    rest, found, given = [], {}, list(arguments)
    while given:
        word = given.pop(0)
        key, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or key not in KEYS:
            rest.append(word)
            continue
        if not equals:
            last = not given or given[0].startswith("--")
            value = "True" if last else given.pop(0)
        found[key] = value
    return rest, found
