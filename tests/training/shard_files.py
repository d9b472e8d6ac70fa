"""A list of short noises, two of them without a speaker, and its shards."""

import io
import json
import tarfile

import numpy as np
import soundfile
from speechbrain.dataio.encoder import CategoricalEncoder

from speechbrain_moe.training.crops import CropMaker
from speechbrain_moe.training.data import training_rows
from speechbrain_moe.training.shard_index import lists_hash, read_index
from speechbrain_moe.training.shards import (
    ShardDataset,
    ShardLoader,
    sample_name,
)

SPEEDS = [1.0, 0.9, 1.1]
N_UTTS, BATCH_SIZE = 26, 4


def write_files(folder):
    """Write <folder>/wav/*.wav, more/*.wav and the list of all."""
    rng = np.random.default_rng(0)
    lines = ["ID,path,spk_id,duration_s"]
    for i in range(N_UTTS):
        spk_id = f"id{i % 5}" if i < N_UTTS - 2 else ""
        part = "wav" if spk_id else "more"
        (folder / part).mkdir(exist_ok=True)
        noise = rng.normal(0, 0.1, 1000 + 100 * i)
        soundfile.write(folder / part / f"{i}.wav", noise, 16000)
        lines.append(f"utt{i},{i}.wav,{spk_id},{len(noise) / 16000}")
    (folder / "train.csv").write_text("\n".join(lines) + "\n")


def write_shards(folder, utts_per_shard=5):
    """Write <folder>/shards of the list, in its own order."""
    (folder / "shards").mkdir()
    rows = [
        {**{"ID": name}, **row}
        for name, row in training_rows(folder / "train.csv", "").items()
    ]
    index = {"lists": lists_hash([folder / "train.csv"]), "shards": []}
    for start in range(0, len(rows), utts_per_shard):
        path = folder / "shards" / f"a-{start}.tar"
        part = rows[start : start + utts_per_shard]
        with tarfile.open(path, "w") as tar:
            for number, row in enumerate(part, start):
                part_folder = folder / ("wav" if row["spk_id"] else "more")
                audio = (part_folder / row["path"]).read_bytes()
                add(tar, f"{sample_name(number)}.json", json.dumps(row))
                add(tar, f"{sample_name(number)}.wav", audio)
        index["shards"].append(
            {
                "name": path.name,
                "n_utts": len(part),
                "n_bytes": path.stat().st_size,
            }
        )
    (folder / "shards/index.json").write_text(json.dumps(index))


def add(tar, name, content):
    """Add text or bytes to a tar file."""
    content = content.encode() if isinstance(content, str) else content
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def crop_maker(draws, **changes):
    """What makes the items, of files and of shards."""
    labels = CategoricalEncoder()
    names = [f"id{i}" for i in range(5)]
    labels.update_from_iterable(names, sequence_input=False)
    labels.expect_len(5)
    return CropMaker(labels, 0.05, SPEEDS, 16000, draws, **changes)


def shard_loader(
    folder, draws, num_workers=0, shards=None, make_crop=None, **changes
):
    """Loader of the shards that ``write_shards`` wrote."""
    index = read_index(shards or folder / "shards", [folder / "train.csv"])
    settings = {"batch_size": BATCH_SIZE, "n_shuffled": 6, **changes}
    dataset = ShardDataset(
        index,
        make_crop or crop_maker(draws),
        folder=folder / "wav",
        unlabelled_folder=folder / "more",
        **settings,
    )
    return ShardLoader(dataset, num_workers)


def facts(batch):
    """Items of a batch by ID: label and waveform."""
    wavs = batch.sig.data.numpy()
    return dict(zip(batch.id, zip(batch.spk_label.tolist(), wavs)))


def ids(loader):
    """IDs of each batch."""
    return [list(batch.id) for batch in loader]


def same(found, wanted):
    """Workers have one thread, which may round otherwise than two."""
    assert found.keys() == wanted.keys()
    for name, (label, wav) in wanted.items():
        assert found[name][0] == label
        assert np.allclose(found[name][1], wav, atol=1e-6)
