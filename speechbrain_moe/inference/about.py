"""What only the maker of a model knows, for its card.

 * a yaml file with the keys of ``About``, all optional
 * what is not said is not made up: the card then says that it is unknown

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path
from typing import NamedTuple

from ruamel.yaml import YAML, YAMLError

from speechbrain_moe.errors import HyperparameterError


class About(NamedTuple):
    """A maker's words on a model.

    Arguments
    ---------
    title : str
        Name of the model.
    version : str
        Of the weights.
    license : str
        Of the weights, as the Hub names it, such as apache-2.0.
    repo_id : str
        Where it is on the Hub, user/name, for the snippet.
    datasets : tuple of str
        Trained on, as the Hub names them.
    languages : tuple of str
        Spoken in them, two letters each.
    training_data : str
        In words: speakers, sources, licences, teachers.
    intended_use : str
        In words.
    limits : str
        In words: what it is bad at.
    consent : str
        In words: who agreed to what.

    Example
    -------
    >>> About(title="Little ECAPA").version
    '1'
    """

    title: str = ""
    version: str = "1"
    license: str = "unknown"
    repo_id: str = ""
    datasets: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    training_data: str = ""
    intended_use: str = ""
    limits: str = ""
    consent: str = ""


def read_about(path):
    """Read a yaml file with the keys of ``About``.

    Arguments
    ---------
    path : str or Path
        The file.

    Returns
    -------
    About
        With what the file does not say left as it is by default.

    Raises
    ------
    HyperparameterError
        If there is no such file, it is no yaml, or a key or value is wrong;
        names file and key.

    Example
    -------
    >>> path = getfixture("tmp_path") / "about.yaml"
    >>> _ = path.write_text("title: Little ECAPA\\ndatasets: [a, b]\\n")
    >>> read_about(path).datasets
    ('a', 'b')
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        said = YAML(typ="safe").load(text)
    except (OSError, ValueError, YAMLError) as error:
        raise HyperparameterError(
            f"{path} cannot be read ({error}); give a yaml file with keys "
            f"such as {', '.join(About._fields[:3])}"
        ) from error
    if not isinstance(said, dict):
        raise HyperparameterError(f"{path}: give lines such as 'title: ...'")
    return About(**{key: checked(path, key, said[key]) for key in said})


def checked(path, key, value):
    """A value of the file, of the kind that ``About`` wants.

    Arguments
    ---------
    path : str or Path
        The file.
    key : str
        The key.
    value : object
        What stands there.

    Returns
    -------
    str or tuple of str
        The value.

    Raises
    ------
    HyperparameterError
        If there is no such key, or it wants another kind of value.
    """
    if key not in About._fields:
        raise HyperparameterError(
            f"{path}: there is no key {key}; choose of "
            f"{', '.join(About._fields)}"
        )
    wants_list = isinstance(About._field_defaults[key], tuple)
    entries = value if wants_list else [value]
    is_text = isinstance(entries, list) and all(
        isinstance(entry, str) for entry in entries
    )
    if not is_text:
        kind = "a list of texts" if wants_list else "a text, in quotes"
        raise HyperparameterError(f"{path}: {key} is {value!r}; give {kind}")
    return tuple(entries) if wants_list else value.strip()
