"""Refuse a stranger's hyperparams.yaml that would run code.

 * HyperPyYAML's tags call any function and build any class by name; a package
   needs few classes, so those are listed here one by one: a whole module
   would not do, ``!new:speechbrain.some.module.subprocess.Popen`` finds what
   that module imports
 * an export has all references resolved, so they are refused too: following
   one can call a function, or compute for ever
 * checked as written, and again as HyperPyYAML writes it anew to read it
 * a string in round brackets is read as yaml once more, with all tags; in the
   first load of a process also when it is quoted
 * HyperPyYAML walks what aliases lead to each time anew, so nodes are counted
   as it would meet them

Authors
 * The speechbrain_moe developers 2026
"""

from io import StringIO
from pathlib import Path

from hyperpyyaml import resolve_references
from ruamel.yaml import YAML, YAMLError

from speechbrain_moe.errors import PackageError

CLASSES = frozenset(
    {
        "speechbrain.dataio.encoder.CategoricalEncoder",
        "speechbrain.dataio.preprocess.AudioNormalizer",
        "speechbrain.lobes.models.ECAPA_TDNN.Classifier",
        "speechbrain_moe.inference.package.PackagePretrainer",
        "speechbrain_moe.lobes.classifier.SubcentreClassifier",
        "speechbrain_moe.lobes.experts.ExpertBank",
        "speechbrain_moe.lobes.features.MarkedFbank",
        "speechbrain_moe.lobes.gate.GatingCNN",
        "speechbrain_moe.lobes.moe_ecapa.MoEECAPA",
        "speechbrain_moe.lobes.moe_ecapa.PassThrough",
    }
)
PLAIN = {"!tuple"} | {
    f"tag:yaml.org,2002:{kind}"
    for kind in ("bool", "float", "int", "map", "null", "seq", "str")
}
MOST_NODES = 100_000  # a package has some hundred
# What reading and writing anew raises
REWRITE_ERRORS = (
    YAMLError,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
)


def check_graph(path):
    """Refuse a graph that does more than build what packages are made of.

    Arguments
    ---------
    path : str or Path
        A hyperparams.yaml. Nothing in it is built or called, and no other
        file is read.

    Raises
    ------
    PackageError
        Names the tag and its line.

    Example
    -------
    >>> path = getfixture("tmp_path") / "hyperparams.yaml"
    >>> _ = path.write_text("seed: !apply:os.system [reboot]")
    >>> check_graph(path)
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.PackageError: .../hyperparams.yaml, line 1:
    !apply:os.system would run code, or could, and is none of this ...
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise PackageError(
            f"{path} cannot be read ({type(error).__name__}: {error}); "
            "export or fetch it again"
        ) from error
    check_text(text, path)


def check_text(text, name):
    """Refuse the text of a graph that does more than build.

    Arguments
    ---------
    text : str
        Of a whole yaml file.
    name : str or Path
        Where it came from, for the error.

    Raises
    ------
    PackageError
        Names the tag and its line.
    """
    try:
        check_tags(text, name)
        check_size(text, name)
        anew = resolve_references(StringIO(text)).read()
    except PackageError:
        raise
    except REWRITE_ERRORS as error:
        raise PackageError(
            f"{name} cannot be read ({type(error).__name__}: {error}); "
            "export or fetch it again"
        ) from error
    check_tags(anew, f"{name}, written anew")


def check_size(text, name):
    """Refuse a yaml text whose aliases make it too large to walk.

    Arguments
    ---------
    text : str
        The yaml.
    name : str or Path
        Where it came from, for the error.

    Raises
    ------
    PackageError
        If it has more than ``MOST_NODES`` with aliases followed.
    """
    sizes = {}

    def size(node):
        if id(node) not in sizes:
            parts = node.value if isinstance(node.value, list) else []
            pairs = (p if isinstance(p, tuple) else (p,) for p in parts)
            sizes[id(node)] = 1 + sum(size(one) for two in pairs for one in two)
        return sizes[id(node)]

    root = YAML(typ="safe", pure=True).compose(StringIO(text))
    if root is not None and size(root) > MOST_NODES:
        raise PackageError(
            f"{name} has more than {MOST_NODES} nodes, aliases followed: no "
            "package has; export or fetch it again"
        )


def check_tags(text, name):
    """Refuse a yaml text that holds a tag which could run code.

    Arguments
    ---------
    text : str
        The yaml.
    name : str or Path
        Where it came from, for the error.

    Raises
    ------
    PackageError
        Names the tag and its line.
    """
    # Events, not nodes: what an alias or a merge leads to is among them
    for event in YAML(typ="safe", pure=True).parse(text):
        tag = getattr(event, "tag", None)
        value = getattr(event, "value", None) or ""
        tuple_like = tag == "!tuple" or value.lstrip().startswith("(")
        if tuple_like and "!" in value:
            tag = value
        elif tag is None or tag in PLAIN or names_class(tag):
            continue
        raise PackageError(
            f"{name}, line {event.start_mark.line + 1}: {tag} would run code, "
            "or could, and is none of this project's; read the file, and give "
            "allow_code=True (--allow_code) only if you trust who wrote it"
        )


def names_class(tag):
    """Whether a tag names a class that packages are made of.

    Arguments
    ---------
    tag : str
        As it stands in the yaml.

    Returns
    -------
    bool
        True for ``!new:`` and ``!name:`` of a listed class.

    Example
    -------
    >>> names_class("!new:speechbrain_moe.lobes.gate.GatingCNN")
    True
    >>> names_class("!new:speechbrain_moe.lobes.gate.torch.nn.Linear")
    False
    """
    kind, _, name = tag.partition(":")
    return kind in ("!new", "!name") and name in CLASSES
