"""Loading of exported packages by stock SpeechBrain, strictly.

 * a package's hyperparams.yaml names this Pretrainer; EncoderClassifier and
   SpeakerRecognition then need nothing but ``from_hparams(source=...)``
 * weights are safetensors, read from the source given and nowhere else
 * a weight that is missing, unexpected or of another shape is an error
   (SpeechBrain's own loading would go on with random ones)

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from speechbrain.utils.fetching import FetchConfig, FetchSource
from speechbrain.utils.parameter_transfer import Pretrainer

from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.collected import check_collected

HPARAMS_FILE = "hyperparams.yaml"
LABELS_FILE = "label_encoder.txt"
# What lines that are no labels raise; the last two if nested without end
LABEL_ERRORS = (OSError, ValueError, SyntaxError, TypeError, KeyError)
LABEL_ERRORS = (*LABEL_ERRORS, MemoryError, RecursionError)


def weights_file(name):
    """Name of the file that holds a module's weights.

    Arguments
    ---------
    name : str
        Key of the module.

    Returns
    -------
    str
        File name inside the package.

    Example
    -------
    >>> weights_file("classifier")
    'classifier.safetensors'
    """
    return f"{name}.safetensors"


def file_of(name):
    """Name of the file that a loadable is read from.

    Arguments
    ---------
    name : str
        Key of the loadable.

    Returns
    -------
    str
        File name inside the package.

    Example
    -------
    >>> file_of("label_encoder")
    'label_encoder.txt'
    """
    return LABELS_FILE if name == "label_encoder" else weights_file(name)


def load_strictly(module, state, name):
    """Put weights into a module, all of them and no others.

    Arguments
    ---------
    module : torch.nn.Module
        Filled in place.
    state : dict
        Weights by name.
    name : str or Path
        Where they came from, for the error.

    Raises
    ------
    PackageError
        If a weight is missing, unexpected, or of another shape.

    Example
    -------
    >>> load_strictly(torch.nn.Linear(1, 1), {}, "model.safetensors")
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.PackageError: model.safetensors does not fit the
    model in hyperparams.yaml (2 missing, such as weight; ...
    """
    wanted = module.state_dict()
    missing = [key for key in wanted if key not in state]
    unknown = [key for key in state if key not in wanted]
    resized = [
        key
        for key in wanted
        if key in state and wanted[key].shape != state[key].shape
    ]
    faults = {"missing": missing, "unknown": unknown, "misshapen": resized}
    if any(faults.values()):
        said = "; ".join(
            f"{len(keys)} {kind}, such as {keys[0]}" if keys else f"0 {kind}"
            for kind, keys in faults.items()
        )
        raise PackageError(
            f"{name} does not fit the model in {HPARAMS_FILE} ({said}): "
            "the two are from different exports; export or fetch them again"
        )
    module.load_state_dict(state)


def load_weights(module, path):
    """Fill a module from a safetensors file, whatever the file is called.

    Arguments
    ---------
    module : torch.nn.Module
        Filled in place.
    path : str or Path
        The file.

    Raises
    ------
    PackageError
        If the file is damaged, or its weights are not finite or do not fit.
    """
    try:
        state = load_file(str(path))
    except (SafetensorError, OSError) as error:
        raise PackageError(
            f"{path}: not a whole safetensors file ({error}); "
            "export or fetch it again"
        ) from error
    check_finite(state, path)
    load_strictly(module, state, path)


def load_labels(label_encoder, path):
    """Fill a label encoder with the speakers of training.

    Arguments
    ---------
    label_encoder : CategoricalEncoder
        Filled in place.
    path : str or Path
        The file its ``save`` wrote.

    Raises
    ------
    PackageError
        If the file is missing or damaged.
    """
    try:
        label_encoder.load(path)
    except LABEL_ERRORS as error:
        raise PackageError(
            f"{path}: not a whole list of speakers ({error!r}); "
            "export or fetch it again"
        ) from error
    label_encoder.expect_len(len(label_encoder))


class PackagePretrainer(Pretrainer):
    """SpeechBrain's Pretrainer, for the files of an exported package.

    Arguments
    ---------
    loadables : dict
        Modules by name, and ``label_encoder``; each is read from its own
        file of the source that ``from_hparams`` was given. Nothing else can
        be set: a graph must not leave weights out or take others.

    Example
    -------
    >>> pretrainer = PackagePretrainer({"classifier": torch.nn.Linear(1, 1)})
    >>> pretrainer.collect_files(getfixture("tmp_path"))
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.PackageError: ... holds no classifier.safetensors...
    """

    def __init__(self, loadables):
        super().__init__(loadables=loadables)
        self.add_custom_hooks(
            {
                name: load_labels if name == "label_encoder" else load_weights
                for name in loadables
            }
        )

    def collect_files(self, default_source=None, **kwargs):
        """Find the package's files, fetching them from the Hub if need be.

        They are checked against the manifest of the source, so files of
        another revision that a savedir still holds are refused.

        Arguments
        ---------
        default_source : str, Path or FetchSource
            A folder or a Hub id.
        **kwargs : dict
            Arguments of ``Pretrainer.collect_files``.

        Returns
        -------
        dict
            Local path of each file.

        Raises
        ------
        PackageError
            If a file of a local package is missing, or one is not what the
            manifest says.
        """
        for name in self.loadables:
            self.paths[name] = path_in(default_source, name)
        found = super().collect_files(default_source, **kwargs)
        files = {file_of(name): Path(path) for name, path in found.items()}
        for graph in {p.with_name(HPARAMS_FILE) for p in files.values()}:
            if graph.is_file():  # from_hparams allows another name
                files[HPARAMS_FILE] = graph
        config = kwargs.get("fetch_config", FetchConfig())
        check_collected(default_source, files, config)
        return found


def path_in(source, name):
    """Where a source keeps a loadable, in the Pretrainer's own form.

    A folder may be a savedir, which SpeechBrain has collected files in.

    Arguments
    ---------
    source : str, Path or FetchSource
        A folder or a Hub id.
    name : str
        Key of the loadable.

    Returns
    -------
    str or FetchSource
        The file's place.

    Raises
    ------
    PackageError
        If the source is a folder that lacks the file.

    Example
    -------
    >>> path_in("somebody/some-model", "classifier")
    'somebody/some-model/classifier.safetensors'
    """
    file = file_of(name)
    if isinstance(source, FetchSource):
        return source._replace(path=f"{source.path}/{file}")
    collected = f"{name}.ckpt"  # in a savedir of SpeechBrain's
    if Path(source).is_dir() and not (Path(source) / file).is_file():
        if (Path(source) / collected).is_file():
            return f"{source}/{collected}"
        raise PackageError(
            f"{source} holds no {file}: it is no whole package; "
            "export or fetch it again"
        )
    return f"{source}/{file}"


def check_finite(state, name):
    """Refuse weights that hold NaN or Inf.

    Arguments
    ---------
    state : dict
        Weights by name.
    name : str or Path
        Where they came from, for the error.

    Raises
    ------
    PackageError
        Names the first such weight.
    """
    for key, value in state.items():
        if not torch.isfinite(value).all():
            raise PackageError(
                f"{name}: {key} holds NaN or Inf; the training went astray, "
                "export an earlier checkpoint"
            )
