"""The recipe under torchrun, two processes on the CPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import verify
from tiny_corpus import arguments

from speechbrain_moe.inference.experiment import find_checkpoint
from speechbrain_moe.training.data import read_table

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).with_name("two_processes.py")
N_EPOCHS = 2


@pytest.fixture(scope="module")
def trained(corpus, small_yaml, recipe_folder, tmp_path_factory):
    """Output folder of the training, and the folder of what was seen."""
    folder = tmp_path_factory.mktemp("two")
    changes = {"batch_size": 5, "n_epochs": N_EPOCHS, "n_averaged": 2}
    given = arguments(small_yaml, corpus, folder / "out", **changes)
    given.append("--distributed_backend=gloo")
    given += ["--ckpt_interval_minutes=0", "--ckpt_interval_steps=1"]
    torchrun = ["-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc_per_node", "2"]
    done = subprocess.run(
        [sys.executable, *torchrun, str(SCRIPT), str(folder), *given],
        env={
            **os.environ,
            "PYTHONPATH": str(recipe_folder),
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,  # processes that wait for each other never end
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def seen(trained):
    """Epoch, stage, ID and process of all that was seen."""
    rows = []
    for rank in (0, 1):
        for line in (trained / f"{rank}.txt").read_text().splitlines():
            epoch, world_size, stage, name = line.split()
            assert world_size == "2"
            rows.append((int(epoch), stage, name, rank))
    return rows


def test_each_utterance_is_trained_on_once_an_epoch(trained, seen):
    wanted = sorted(read_table(trained / "out/save/train.csv").ID)
    assert len(wanted) % 10 == 0  # nothing is left over by drop_last
    for epoch in range(1, N_EPOCHS + 1):
        found = [x for x in seen if x[0] == epoch and x[1] == "TRAIN"]
        assert sorted(name for _, _, name, _ in found) == wanted
        assert {rank for *_, rank in found} == {0, 1}


def test_processes_share_the_validation(trained, seen):
    wanted = sorted(read_table(trained / "out/save/dev.csv").ID)
    found = [x for x in seen if x[0] == 1 and x[1] == "VALID"]
    assert sorted(name for _, _, name, _ in found) == wanted
    ranks = [rank for *_, rank in found]
    assert ranks.count(0) == ranks.count(1) == len(wanted) / 2


def test_shared_validation_gives_the_eer_of_one_process(
    trained, corpus, tmp_path
):
    out = trained / "out"
    trials = out / "save/dev_trials.txt"
    one = verify.verify(out, trials, corpus / "dev", tmp_path)
    many = find_checkpoint(out / "save").meta
    assert one["eer"] == pytest.approx(many["dev_eer"], abs=1e-9)


def test_checkpoint_says_how_many_processes_there_were(trained):
    meta = find_checkpoint(trained / "out/save").meta
    assert meta["n_processes"] == 2


def test_average_is_measured_and_saved_once(trained):
    (saved,) = (trained / "out/save/average").glob("CKPT+*")
    weights = torch.load(saved / "embedding_model.ckpt")
    assert all(value.isfinite().all() for value in weights.values())
