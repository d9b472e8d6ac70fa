import os

import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.embedding_shards import (
    encoder_key,
    join_shards,
    key_of,
    read_shard,
    shard_key,
    write_shard,
)
from speechbrain_moe.inference.export import export_package, load_encoder
from speechbrain_moe.inference.file_embeddings import QUALITY, FileEmbeddings


def contents(*paths, broken=()):
    """Made-up contents of a shard."""
    n, rng = len(paths), np.random.default_rng(0)
    quality = {name: rng.random(n) for name in QUALITY}
    embeddings = rng.normal(size=(n, 3)).astype(np.float32)
    return FileEmbeddings([*paths], embeddings, quality, dict(broken))


def test_shard_reads_back_as_it_was_written(tmp_path):
    found = contents("a/ü.wav", "b.wav", broken={"c.wav": "no such file"})
    write_shard(tmp_path / "x.npz", found, "key")
    again = read_shard(tmp_path / "x.npz")
    assert again.paths == found.paths and again.broken == found.broken
    assert np.array_equal(again.embeddings, found.embeddings)
    assert again.embeddings.dtype == np.float32
    for name in QUALITY:
        assert np.array_equal(again.quality[name], found.quality[name])


def test_truncated_shard_has_no_key_and_is_refused_by_name(tmp_path):
    file = tmp_path / "x.npz"
    write_shard(file, contents("a.wav"), "key")
    os.truncate(file, 300)
    assert key_of(file) is None
    with pytest.raises(InputError, match="x.npz is damaged .* remove it"):
        read_shard(file)


def test_a_file_that_may_not_be_read_has_the_key_of_none(tmp_path, monkeypatch):
    missing = shard_key("model", ["a.wav"], tmp_path)
    (tmp_path / "a.wav").touch()
    assert shard_key("model", ["a.wav"], tmp_path) != missing
    # Else its reason would be kept after its permissions are mended
    monkeypatch.setattr(os, "access", lambda *given: False)
    assert shard_key("model", ["a.wav"], tmp_path) == missing


def test_a_name_that_no_file_can_have_has_a_key_too(tmp_path):
    one, other = (shard_key("m", [n], tmp_path) for n in ("a\0", "b\0"))
    assert one != other


def test_key_follows_model_paths_and_audio(tmp_path):
    file = tmp_path / "a.wav"
    file.write_bytes(b"one")
    key = shard_key("model", ["a.wav"], tmp_path)
    assert shard_key("model", ["a.wav"], tmp_path) == key
    others = [shard_key("other", ["a.wav"], tmp_path)]
    others += [shard_key("model", ["b.wav"], tmp_path)]
    status = file.stat()
    file.write_bytes(b"two")  # of the same size
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    others += [shard_key("model", ["a.wav"], tmp_path)]
    assert len({key, *others}) == 4


def test_key_of_a_package_is_that_of_its_training(experiment, tmp_path):
    package = export_package(experiment, tmp_path / "package")
    key = encoder_key(load_encoder(experiment))
    assert encoder_key(load_encoder(package)) == key


def test_key_follows_weights_and_settings(experiment):
    encoder = load_encoder(experiment)
    keys = [encoder_key(encoder)]
    encoder.mods.embedding_model.expert_bias.add_(1e-6)
    keys.append(encoder_key(encoder))
    encoder.mods.embedding_model.top_k = 1
    keys.append(encoder_key(encoder))
    assert len(set(keys)) == 3


def test_key_follows_the_model_that_was_built(experiment):
    encoder = load_encoder(experiment)
    key = encoder_key(encoder)
    encoder.hparams.top_k = 1  # says so alone: nothing was built of it
    assert encoder_key(encoder) == key
    stft = encoder.mods.compute_features.compute_STFT
    stft.hop_length //= 2
    keys = [key, encoder_key(encoder)]
    stft.win_length *= 2
    keys.append(encoder_key(encoder))
    expert = encoder.mods.embedding_model.experts.experts[0]
    inner = expert.blocks[1].res2net_block.blocks[0].conv.conv
    inner.dilation = (7,)
    keys.append(encoder_key(encoder))
    assert len(set(keys)) == 4


def test_key_does_not_follow_what_has_no_effect(experiment):
    encoder = load_encoder(experiment)
    model = encoder.mods.embedding_model
    model.selection = encoder.hparams.selection = "soft"
    key = encoder_key(encoder)
    model.top_k = 1  # all experts run
    assert encoder_key(encoder) == key
    del encoder.hparams.always_on_weight  # as a yaml of before has it
    before = encoder_key(encoder)
    model.always_on_weight = 0.5
    assert encoder_key(encoder) == before


def test_joined_shards_skip_one_that_holds_broken_files_alone():
    empty = contents(broken={"b.wav": "lasts 0.01 s"})
    joined = join_shards([contents("a.wav"), empty, contents("c.wav")])
    assert joined.paths == ["a.wav", "c.wav"]
    assert joined.embeddings.shape == (2, 3)
    assert joined.broken == {"b.wav": "lasts 0.01 s"}


def test_list_of_broken_files_alone_is_refused():
    with pytest.raises(InputError, match="none of 1 files .* b.wav: lasts"):
        join_shards([contents(broken={"b.wav": "lasts 0.01 s"})])
