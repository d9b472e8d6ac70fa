"""A trained ECAPA-TDNN of any SpeechBrain folder, read strictly.

 * sources: a folder or Hub id that stock EncoderClassifier loads, an exported
   package of one expert, or a training's output_folder of one expert
 * SpeechBrain loads weights non-strictly; here the file is read once more,
   and a weight that it lacks is an error
 * a package's folder is checked as everywhere; any other source's
   hyperparams.yaml is code, as it is for SpeechBrain: name only those that
   are trusted

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

from speechbrain.inference.classifiers import EncoderClassifier
from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN
from speechbrain.utils.checkpoints import torch_patched_state_dict_load

from speechbrain_moe.errors import InputError, PackageError
from speechbrain_moe.inference.building import is_package
from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.inference.package import (
    PackagePretrainer,
    check_finite,
    load_strictly,
)
from speechbrain_moe.lobes.moe_ecapa import MoEECAPA


def open_encoder(source, key="init_from"):
    """Load a trained encoder, all of its weights and no others.

    Arguments
    ---------
    source : str or Path
        A folder or Hub id of a SpeechBrain ECAPA-TDNN, or a package or
        output_folder of this project.
    key : str
        The yaml key that it is the value of, for messages.

    Returns
    -------
    EncoderClassifier
        Stock SpeechBrain's interface, in evaluation mode, on the CPU.

    Raises
    ------
    PackageError
        If there is nothing there, or it is not whole.
    """
    path = Path(source)
    if (path / "save").is_dir() or is_package(path):
        # The yaml of a training of one's own ran before
        return load_encoder(path, allow_code=not is_package(path))
    looks_like_path = str(source).startswith((".", "~")) or len(path.parts) > 2
    if not path.is_dir() and looks_like_path:
        raise PackageError(
            f"{key}: there is no folder {source}; give a folder or the "
            "Hub id of a SpeechBrain ECAPA-TDNN"
        )
    try:
        encoder = EncoderClassifier.from_hparams(
            source=str(source),
            # The weights beside this yaml, not those of a repository that
            # it names
            overrides={"pretrained_path": str(source)},
            overrides_must_match=False,
            run_opts={"device": "cpu"},
        )
        check_whole(encoder, source, key)
    except InputError:
        raise
    except Exception as error:  # a yaml, its classes and files: anything
        raise PackageError(
            f"{key}: {source} cannot be loaded as SpeechBrain's "
            f"EncoderClassifier ({type(error).__name__}: {error}); give a "
            "folder or Hub id with hyperparams.yaml and embedding_model.ckpt"
        ) from error
    return encoder


def check_whole(encoder, source, key="init_from"):
    """Refuse an encoder whose weights did not all come from its file.

    Arguments
    ---------
    encoder : EncoderClassifier
        As SpeechBrain loaded it.
    source : str or Path
        Where it came from.
    key : str
        The yaml key that it is the value of, for messages.

    Raises
    ------
    PackageError
        If its file lacks a weight, has one too many, or none is read.
    """
    missing = {"compute_features", "mean_var_norm", "embedding_model"}
    missing -= set(encoder.mods)
    if missing:
        raise PackageError(
            f"{key}: the modules of {source} lack {sorted(missing)[0]}; "
            "give a SpeechBrain speaker encoder"
        )
    pretrainer = encoder.hparams.pretrainer
    if isinstance(pretrainer, PackagePretrainer):
        return  # has loaded strictly
    if "embedding_model" not in pretrainer.loadables:
        raise PackageError(
            f"{key}: the pretrainer of {source} loads no embedding_model: "
            "its weights would be random; name it under loadables"
        )
    path = pretrainer.paths["embedding_model"]
    state = torch_patched_state_dict_load(path)
    check_finite(state, path)
    load_strictly(encoder.mods["embedding_model"], state, path)


def dense_part(encoder, source):
    """The one ECAPA-TDNN of an encoder.

    Arguments
    ---------
    encoder : EncoderClassifier
        Stock, or of this project.
    source : str or Path
        Where it came from.

    Returns
    -------
    ECAPA_TDNN
        SpeechBrain's module.

    Raises
    ------
    PackageError
        If it is another network, or there are several experts.
    """
    model = encoder.mods["embedding_model"]
    if isinstance(model, MoEECAPA):
        experts = model.experts.experts
        if len(experts) > 1:
            raise PackageError(
                f"init_from: {source} holds {len(experts)} experts; give one "
                "that was trained with n_experts: 1 and no always-on expert"
            )
        return experts[0]
    if type(model) is not ECAPA_TDNN:
        raise PackageError(
            f"init_from: the embedding_model of {source} is a "
            f"{type(model).__name__}; give one that is SpeechBrain's ECAPA_TDNN"
        )
    return model
