import os
import subprocess
import sys
import textwrap
import time

import pytest
import torch
from speechbrain.utils.checkpoints import Checkpointer

from speechbrain_moe import checkpoints
from speechbrain_moe.checkpoints import (
    SIZES_FILE,
    WholeCheckpointer,
    is_whole,
)
from speechbrain_moe.errors import HyperparameterError


@pytest.fixture
def layer():
    return torch.nn.Linear(2, 2)


@pytest.fixture
def saver(tmp_path, layer):
    return WholeCheckpointer(tmp_path, {"layer": layer})


def save(saver, layer, epoch, **kwargs):
    """A checkpoint whose weights are its epoch."""
    torch.nn.init.constant_(layer.weight, epoch)
    return saver.save_checkpoint(
        meta={"epoch": epoch, "unixtime": epoch}, **kwargs
    )


def test_the_newest_comes_back(saver, layer):
    for epoch in (1, 2, 3):
        save(saver, layer, epoch)
    torch.nn.init.zeros_(layer.weight)
    assert saver.recover_if_possible().meta["epoch"] == 3
    assert layer.weight.unique().item() == 3


@pytest.mark.parametrize("name", ["layer.ckpt", "CKPT.yaml", SIZES_FILE])
@pytest.mark.parametrize("damage", ["cut", "gone", "empty"])
def test_a_damaged_one_is_skipped_with_a_warning_for_the_one_before(
    saver, layer, caplog, name, damage
):
    save(saver, layer, 1)
    file = save(saver, layer, 2).path / name
    if damage == "gone":
        file.unlink()
    else:
        half = len(file.read_bytes()) // 2 if damage == "cut" else 0
        os.truncate(file, half)
    assert saver.recover_if_possible().meta["epoch"] == 1
    assert layer.weight.unique().item() == 1
    if name != "CKPT.yaml" or damage != "gone":  # else no checkpoint at all
        assert str(file.parent) in caplog.text
        assert caplog.text.count("was cut off or changed") == 1


def test_all_damaged_is_none_at_all(saver, layer):
    os.truncate(save(saver, layer, 1).path / "layer.ckpt", 10)
    assert saver.recover_if_possible() is None


def test_nothing_counts_before_the_last_file_is_written(
    saver, layer, tmp_path, monkeypatch
):
    """As after kill -9 at any moment of the writing."""
    save(saver, layer, 1)

    def killed(folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "flush", killed)
    with pytest.raises(KeyboardInterrupt):
        save(saver, layer, 2)
    stock = Checkpointer(tmp_path, {"layer": layer})
    assert [c.meta["epoch"] for c in stock.list_checkpoints()] == [1]
    monkeypatch.undo()
    save(saver, layer, 3)
    assert not list(tmp_path.glob("PART*"))  # cleared by the next


def test_a_given_name_is_replaced_by_the_newer(saver, layer, tmp_path):
    save(saver, layer, 1, name="average")
    newer = save(saver, layer, 2, name="average")
    assert [p.name for p in tmp_path.iterdir()] == ["CKPT+average"]
    assert is_whole(newer.path)
    assert newer.paramfiles["layer"].is_file()


def test_old_ones_are_deleted_as_stock_does(saver, layer, tmp_path):
    for epoch in (1, 2, 3, 4):
        torch.nn.init.constant_(layer.weight, epoch)
        saver.save_and_keep_only(
            meta={"unixtime": epoch}, num_to_keep=2, importance_keys=[]
        )
    kept = {c.meta["unixtime"] for c in saver.list_checkpoints()}
    assert kept == {3, 4}


KILLED = """
    import sys, torch
    from speechbrain_moe.checkpoints import WholeCheckpointer

    layer = torch.nn.Linear(500, 500)
    saver = WholeCheckpointer(sys.argv[1], {"layer": layer, "more": layer})
    for epoch in range(1, 10**6):
        torch.nn.init.constant_(layer.weight, epoch)
        saver.save_and_keep_only(
            meta={"epoch": epoch}, num_to_keep=2, importance_keys=[]
        )
        print(epoch, flush=True)
"""


def test_kill_9_at_any_moment_leaves_the_last_one_whole(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)]
    layer = torch.nn.Linear(500, 500)
    for wait_s in (0.0, 0.013, 0.031):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            last = int(child.stdout.readline())
            time.sleep(wait_s)
            child.kill()
            rest = child.stdout.read().split()
        last = int(rest[-1]) if rest else last
        found = WholeCheckpointer(tmp_path, {"layer": layer})
        epoch = found.recover_if_possible().meta["epoch"]
        assert epoch in (last, last + 1)
        assert layer.weight.unique().item() == epoch


def test_another_number_of_processes_is_refused_with_the_way_out(
    saver, layer, monkeypatch
):
    saver.check_processes()  # nothing there yet
    save(saver, layer, 1)
    saver.check_processes()
    monkeypatch.setattr(checkpoints, "count_processes", lambda: 2)
    with pytest.raises(HyperparameterError) as refused:
        saver.check_processes()
    message = str(refused.value)
    assert "1 processes" in message and "training of 2" in message
    assert "--finetune_from" in message and "torchrun" in message


def test_a_named_checkpoint_is_there_until_the_next_one_is(
    saver, layer, monkeypatch
):
    saver.save_checkpoint(meta={"dev_eer": 1.0}, name="average")
    rename = os.rename

    def killed(old, new):
        if "PART+" in str(old):
            raise KeyboardInterrupt
        rename(old, new)

    monkeypatch.setattr(os, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        saver.save_checkpoint(meta={"dev_eer": 2.0}, name="average")
    monkeypatch.undo()
    assert saver.find_checkpoint().meta["dev_eer"] == 1.0
    saver.save_checkpoint(meta={"dev_eer": 3.0}, name="average")
    found = saver.list_checkpoints()
    assert [one.meta["dev_eer"] for one in found] == [3.0]
