"""The subcommands doctor and bench: this machine and a model on it.

Authors
 * The speechbrain_moe developers 2026
"""

from speechbrain_moe.cli.answer import Answer
from speechbrain_moe.cli.options import add_command, add_model, open_model

DOCTOR = """\
doctor
doctor --model my_package --json"""
BENCH = """\
bench
bench --batch_size 16 --device cuda:0"""


def add_machine_commands(commands):
    """Declare doctor and bench.

    Arguments
    ---------
    commands : argparse._SubParsersAction
        Changed in place.
    """
    one = add_command(
        commands,
        "doctor",
        doctor,
        "say what is installed and whether the model is well",
        DOCTOR,
    )
    add_model(one, calibration=False)
    one = add_command(
        commands, "bench", bench, "measure speed on this machine", BENCH
    )
    add = one.add_argument
    add("--duration_s", type=float, default=3.0, help="of each recording")
    add("--batch_size", type=int, default=1, help="recordings at a time")
    add("--n_turns", type=int, default=15, help="the median of so many")
    add_model(one)


def doctor(given):
    """Look at the installation and the model; status 2 where it is ill.

    Arguments
    ---------
    given : argparse.Namespace
        Arguments of the subcommand.

    Returns
    -------
    Answer
        What was found.
    """
    from speechbrain_moe.inference.doctor import examine

    found = examine(given.model, given.device, given.revision, given.allow_code)
    return Answer(found, doctor_text(found), 2 if found["problems"] else 0)


def doctor_text(found):
    """What the doctor found, in words.

    Arguments
    ---------
    found : dict
        What ``examine`` returned.

    Returns
    -------
    str
        A line for each thing, problems last.
    """
    lines = [f"{name:16} {v}" for name, v in found["versions"].items()]
    lines += [f"{name:16} {said}" for name, said in found["devices"].items()]
    for extra, missing in found["extras"].items():
        said = f"lacks {', '.join(missing)}" if missing else "installed"
        lines.append(f"[{extra}]".ljust(17) + said)
    lines.append(f"model            {found['model']['place']}")
    lines += model_lines(found["model"])
    lines += [f"problem: {problem}" for problem in found["problems"]]
    return "\n".join(lines if found["problems"] else [*lines, "all is well"])


def model_lines(model):
    """What is known of the model, a line each."""
    lines = []
    if "n_files" in model:
        lines.append(f"  files          {model['n_files']}, as exported")
    if "calibrated" in model:
        said = "yes" if model["calibrated"] else "no"
        lines.append(f"  calibrated     {said}")
    if "golden" in model:
        pairs = model["golden"]
        said = "no example recordings to score"
        if pairs:
            said = f"as exported, {len(pairs)} pairs of examples"
        lines.append(f"  golden scores  {said}")
    return lines


def bench(given):
    """Time the model beside one stock ECAPA-TDNN.

    Arguments
    ---------
    given : argparse.Namespace
        Arguments of the subcommand.

    Returns
    -------
    Answer
        Speed of both, and their ratio.
    """
    from speechbrain_moe.inference.doctor import devices
    from speechbrain_moe.inference.speed import compare_speed

    speeds = compare_speed(
        open_model(given), given.duration_s, given.batch_size, given.n_turns
    )
    content = {name: speed._asdict() for name, speed in speeds.items()}
    content |= {
        "ratio": speeds["moe"].seconds / speeds["stock"].seconds,
        "duration_s": given.duration_s,
        "batch_size": given.batch_size,
        "n_turns": given.n_turns,
        "device": devices().get(given.device, given.device),
    }
    return Answer(content, bench_text(content))


def bench_text(content):
    """Speeds in words.

    Arguments
    ---------
    content : dict
        What ``bench`` says.

    Returns
    -------
    str
        A line for each network, and how it was measured.
    """
    names = {"moe": "this model", "stock": "stock ECAPA, one expert's width"}
    lines = [
        f"{title:32} {content[name]['params'] / 1e6:6.2f} M  "
        f"{1000 * content[name]['seconds']:8.1f} ms  "
        f"{content[name]['files_per_s']:8.1f} files/s  "
        f"real-time factor {content[name]['real_time_factor']:.4f}"
        for name, title in names.items()
    ]
    return "\n".join(
        [
            *lines,
            f"ratio {content['ratio']:.2f}; batches of "
            f"{content['batch_size']} x {content['duration_s']:g} s, median "
            f"of {content['n_turns']} turns, {content['device']}",
        ]
    )
