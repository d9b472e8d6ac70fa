"""Kill -9 in the middle of a training, and go on as if nothing happened."""

import itertools
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import train
from make_shards import make_shards
from speaker_brain import SpeakerBrain
from tiny_corpus import arguments

from speechbrain_moe import checkpoints
from speechbrain_moe.errors import HyperparameterError

RECIPE = Path(__file__).parents[2] / "recipes/VoxCeleb/moe_ecapa"
SCRIPT = Path(__file__).with_name("losses_of_steps.py")
N_EPOCHS, N_STEPS = 3, 5
# All that draws, counts or changes by epoch
EVERYTHING = {
    "n_epochs": N_EPOCHS,
    "batch_size": 6,
    "selection": "top_k",
    "n_experts": 3,
    "top_k": 2,
    "gate_noise": 0.5,
    "expert_dropout": 0.3,
    "balance_bias_rate": 0.01,
    "temperature_start": 2.0,
    "margin_epochs": "[1, 3]",
    "n_averaged": 2,
}


def start(losses, given):
    """The training as a child process, its losses written to a file."""
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(losses), *given],
        env={**os.environ, "PYTHONPATH": str(RECIPE), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(child):
    """Wait for a child that is to succeed."""
    output, _ = child.communicate()
    assert child.returncode == 0, output
    return output


def read(losses):
    """Loss by (epoch, step), the last one written counts."""
    lines = losses.read_text().splitlines() if losses.exists() else []
    return {tuple(line.split()[:2]): line.split()[2] for line in lines}


def kill_at(child, losses, n_steps):
    """End the child by SIGKILL once so many steps were taken."""
    while len(read(losses)) < n_steps:
        assert child.poll() is None, child.communicate()[0]
        time.sleep(0.001)
    child.kill()
    child.communicate()


@pytest.fixture(scope="module")
def unbroken(corpus, small_yaml, tmp_path_factory):
    """Losses and log of a training that nothing disturbed."""
    folder = tmp_path_factory.mktemp("unbroken")
    given = arguments(small_yaml, corpus, folder / "out", **EVERYTHING)
    finish(start(folder / "losses", given))
    return read(folder / "losses"), (folder / "out/train_log.txt").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("saved_every, n_kills", [(2, 2), (0, 1)])
def test_losses_after_kill_9_are_those_of_an_unbroken_training(
    unbroken, corpus, small_yaml, tmp_path, saved_every, n_kills
):
    """Bit for bit, and the epoch's figures too."""
    wanted, log = unbroken
    assert len(wanted) == N_EPOCHS * N_STEPS
    given = arguments(small_yaml, corpus, tmp_path / "out", **EVERYTHING)
    given += [
        "--ckpt_interval_minutes=0",
        f"--ckpt_interval_steps={saved_every}",
    ]
    losses = tmp_path / "losses"
    for _ in range(n_kills):
        done = len(read(losses))
        step = random.randint(done + 1, done + N_STEPS + 1)
        kill_at(start(losses, given), losses, step)
    finish(start(losses, given))
    assert read(losses) == wanted
    assert (tmp_path / "out/train_log.txt").read_text() == log


@pytest.mark.slow
def test_a_training_from_shards_goes_on_to_the_bit_too(
    corpus, small_yaml, tmp_path
):
    pytest.importorskip("webdataset")
    lists = tmp_path / "lists"  # of any training of this data and seed
    debug = arguments(small_yaml, corpus, lists, **EVERYTHING) + ["--debug"]
    finish(start(tmp_path / "no_matter", debug))
    packed = tmp_path / "shards"
    make_shards(lists / "save", corpus / "dev", packed, utts_per_shard=7)
    changes = {"n_epochs": 2, "shards": packed, "n_shuffled": 4}
    losses, given = [], []
    for name in ("unbroken", "killed"):
        out = tmp_path / name
        losses.append(out.with_suffix(".txt"))
        given.append(
            arguments(small_yaml, corpus, out, **{**EVERYTHING, **changes})
        )
    finish(start(losses[0], given[0]))
    given[1] += ["--ckpt_interval_minutes=0", "--ckpt_interval_steps=2"]
    kill_at(start(losses[1], given[1]), losses[1], random.randint(3, 9))
    finish(start(losses[1], given[1]))
    assert len(read(losses[0])) == 2 * N_STEPS
    assert read(losses[1]) == read(losses[0])


@pytest.mark.slow
def test_checkpoints_within_an_epoch_take_no_place_among_the_last(
    corpus, small_yaml, tmp_path, monkeypatch
):
    """Else the average would depend on when a training was saved."""
    eers = itertools.count(1.0)  # ever worse: none stays for being good
    monkeypatch.setattr(
        SpeakerBrain, "measure_dev", lambda self: {"dev_eer": next(eers)}
    )
    changes = {"n_epochs": 4, "n_averaged": 2, "batch_size": 15}
    given = arguments(small_yaml, corpus, tmp_path / "out", **changes)
    given += ["--ckpt_interval_minutes=0", "--ckpt_interval_steps=1"]
    train.main(given)
    saver = checkpoints.WholeCheckpointer(tmp_path / "out/save")
    metas = [one.meta for one in saver.list_checkpoints()]
    assert {3, 4} <= {meta["epoch"] for meta in metas if "epoch" in meta}


@pytest.mark.slow
def test_what_a_kill_may_lose_is_the_interval_whatever_an_epoch_takes(
    corpus, small_yaml, tmp_path, monkeypatch
):
    """Short epochs without validation, too."""
    saved, whole = [], SpeakerBrain._save_intra_epoch_ckpt

    def save(brain):
        saved.append((brain.epoch, brain.step))
        whole(brain)

    monkeypatch.setattr(SpeakerBrain, "_save_intra_epoch_ckpt", save)
    changes = {"n_epochs": 4, "dev_interval": 3, "batch_size": 15}
    given = arguments(small_yaml, corpus, tmp_path / "out", **changes)
    given += ["--ckpt_interval_minutes=0", "--ckpt_interval_steps=4"]
    train.main(given)
    # Two steps an epoch; epoch 3 ends with a checkpoint of its own
    assert saved == [(2, 2)]


def test_a_checkpoint_cut_off_is_skipped_for_the_one_before(
    corpus, small_yaml, tmp_path
):
    given = arguments(small_yaml, corpus, tmp_path / "out", n_epochs=2)
    finish(start(tmp_path / "losses", given))
    newest = max((tmp_path / "out/save").glob("CKPT+*"))
    os.truncate(newest / "embedding_model.ckpt", 1000)
    output = finish(start(tmp_path / "again", given))
    assert f"{newest.name} was cut off or changed: skipped" in output
    assert {epoch for epoch, _ in read(tmp_path / "again")} == {"2"}


def test_another_number_of_processes_is_refused_with_the_way_out(
    corpus, small_yaml, tmp_path, monkeypatch
):
    given = arguments(small_yaml, corpus, tmp_path / "out")
    monkeypatch.setattr(checkpoints, "count_processes", lambda: 2)
    train.main(given)
    before = (tmp_path / "out/hyperparams.yaml").read_text()
    monkeypatch.undo()
    with pytest.raises(HyperparameterError) as refused:
        train.main([*given, "--dev_interval=2"])
    assert "written by 2 processes" in str(refused.value)
    assert "--finetune_from" in str(refused.value)
    assert (tmp_path / "out/hyperparams.yaml").read_text() == before
    train.main([*given, "--test_only"])  # goes on with nothing
