"""An encoder as one ONNX file, waveform to embedding.

 * input ``wavs`` [batch, samples], any number of either, padded with zeros;
   outputs ``embeddings`` [batch, emb_dim] and ``expert_weights``
   [batch, n_experts]
 * sample rate, hop and shortest utterance stand in the file's metadata, so
   that a reader needs nothing else
 * the file appears only after onnxruntime gave torch's embeddings with it
 * all experts run, whatever the gate chose: a top-1 model costs in ONNX what
   a soft one costs

Authors
 * The speechbrain_moe developers 2026
"""

import logging
import math
import warnings
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import torch

from speechbrain_moe import __version__
from speechbrain_moe.errors import (
    InputError,
    MissingPackageError,
    PackageError,
)
from speechbrain_moe.files import write_whole
from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.inference.onnx_graph import (
    WaveformEncoder,
    mask_of_lengths,
)
from speechbrain_moe.inference.onnx_parity import check_parity
from speechbrain_moe.inference.utterances import MIN_DURATION_S
from speechbrain_moe.lobes.features import MarkedFbank
from speechbrain_moe.lobes.moe_ecapa import MoEECAPA, PassThrough

OPSET = 18
OUTPUTS = ("embeddings", "expert_weights")
# What a graph of ours is made of; others would export to something else
EXPORTABLE = {
    "compute_features": MarkedFbank,
    "mean_var_norm": PassThrough,
    "embedding_model": MoEECAPA,
}


class OnnxFile(NamedTuple):
    """An encoder that was written.

    Arguments
    ---------
    path : Path
        The file.
    n_bytes : int
        Its size.
    opset : int
        Version of ONNX's operators that it needs.
    distance : float
        Largest 1 - cos between its embeddings and torch's that the check
        before writing saw.
    """

    path: Path
    n_bytes: int
    opset: int
    distance: float


def export_onnx(folder, path, checkpoint=None, allow_code=False):
    """Write an encoder as an ONNX file that needs no torch.

    Arguments
    ---------
    folder : str or Path
        A package or a training's ``output_folder``.
    path : str or Path
        File to write, ending in .onnx; an older one is replaced.
    checkpoint : str, optional
        Of a training, the name of another checkpoint than the best.
    allow_code : bool
        Whether the graph may run any code.

    Returns
    -------
    OnnxFile
        What was written.

    Raises
    ------
    InputError
        If path is a folder or does not end in .onnx.
    MissingPackageError
        If onnx, onnxscript or onnxruntime is not installed.
    PackageError
        If the folder is not whole or holds another kind of encoder, or
        onnxruntime's embeddings differ from torch's by 1 - cos of 1e-5 or
        more. Nothing is written then.

    Example
    -------
    >>> export_onnx("package", "encoder.pt")
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.InputError: encoder.pt: give a file that ends in
    .onnx
    """
    path = Path(path)
    check_path(path)
    check_installed()
    encoder = load_encoder(folder, checkpoint=checkpoint, allow_code=allow_code)
    check_exportable(encoder, folder)
    content = build_onnx(encoder)
    distance = check_parity(content, encoder, path)
    write_whole(path, lambda aside: aside.write_bytes(content))
    return OnnxFile(path, len(content), OPSET, distance)


def check_path(path):
    """Refuse a path that no ONNX file can be written to.

    Arguments
    ---------
    path : Path
        File to write.

    Raises
    ------
    InputError
        If it is a folder or does not end in .onnx.
    """
    if path.suffix != ".onnx":
        raise InputError(f"{path}: give a file that ends in .onnx")
    if path.is_dir():
        raise InputError(f"{path} is a folder: give another name")


def check_installed():
    """Refuse to go on without the packages that an export needs.

    Raises
    ------
    MissingPackageError
        The message has the pip line.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingPackageError(
            f"the ONNX export needs {error.name}: "
            'pip install "speechbrain-moe[export]"'
        ) from error


def check_exportable(encoder, folder):
    """Refuse an encoder that is not made of this package's modules.

    Arguments
    ---------
    encoder : SpeakerRecognition
        What ``load_encoder`` gave.
    folder : str or Path
        Where it came from, for the error.

    Raises
    ------
    PackageError
        Names the module.
    """
    for name, wanted in EXPORTABLE.items():
        found = encoder.mods[name] if name in encoder.mods else None
        if not isinstance(found, wanted):
            raise PackageError(
                f"{folder}: its {name} is {type(found).__name__}, and only "
                f"{wanted.__name__} can be exported to ONNX; train or export "
                "the package with this package's recipe"
            )


def build_onnx(encoder):
    """The ONNX file of an encoder.

    Arguments
    ---------
    encoder : SpeakerRecognition
        Made of this package's modules.

    Returns
    -------
    bytes
        Content of the file.
    """
    model = encoder.mods["embedding_model"]
    compute_features = encoder.mods["compute_features"]
    rate = compute_features.compute_STFT.sample_rate
    about = {
        "sample_rate": rate,
        "hop_samples": compute_features.compute_STFT.hop_length,
        "min_samples": math.ceil(MIN_DURATION_S * rate),
        "n_experts": model.n_experts,
        "selection": model.selection,
        "top_k": model.top_k,
        "speechbrain_moe": __version__,
    }
    graph = WaveformEncoder(compute_features, model).eval()
    proto = trace(graph, about["min_samples"])
    strip(proto)
    for key, value in about.items():
        proto.metadata_props.add(key=key, value=str(value))
    return proto.SerializeToString(deterministic=True)


def trace(graph, min_samples):
    """Follow the graph once and write down its operators.

    Arguments
    ---------
    graph : WaveformEncoder
        In evaluation mode, on the CPU.
    min_samples : int
        Samples of the shortest utterance.

    Returns
    -------
    onnx.ModelProto
        The operators, with batch and samples left open.
    """
    wavs = torch.randn(2, 10 * min_samples)
    shape = {
        0: torch.export.Dim("batch"),
        1: torch.export.Dim("samples", min=min_samples),
    }
    masks = "speechbrain.lobes.models.ECAPA_TDNN.length_to_mask"
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    with warnings.catch_warnings(), mock.patch(masks, mask_of_lengths):
        # onnxscript and torch's exporter use what Python is to drop
        warnings.simplefilter("ignore", DeprecationWarning)
        # It tells of torchvision, which nothing here uses
        logger.setLevel(logging.ERROR)
        try:
            program = torch.onnx.export(
                graph,
                (wavs,),
                input_names=["wavs"],
                output_names=list(OUTPUTS),
                opset_version=OPSET,
                dynamic_shapes=(shape,),
                dynamo=True,
                verbose=False,
            )
        finally:
            logger.setLevel(level)
    return program.model_proto


def strip(proto):
    """Take out of a model what only its exporter's authors need.

    That is half of a small file, and holds paths of the machine it was
    written on.

    Arguments
    ---------
    proto : onnx.ModelProto
        Changed in place.
    """
    graph = proto.graph
    del graph.value_info[:]
    named = (*graph.node, *graph.initializer, *graph.input, *graph.output)
    for part in (proto, graph, *named):
        part.doc_string = ""
        del part.metadata_props[:]
