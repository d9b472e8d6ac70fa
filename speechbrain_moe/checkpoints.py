"""Checkpoints that are whole, or not there.

 * SpeechBrain's Checkpointer, written aside and renamed: a training killed
   while it writes leaves the checkpoint before
 * a list of file sizes tells one that was cut off afterwards; it is skipped
   with a warning, and the one before is used
 * the number of processes is kept: with another number the place in the data
   would mean other utterances

Authors
 * The speechbrain_moe developers 2026
"""

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

import torch.distributed as dist
from speechbrain.utils.checkpoints import Checkpointer
from speechbrain.utils.distributed import ddp_barrier, if_main_process
from speechbrain.utils.logger import get_logger

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.files import replace_folder

logger = get_logger(__name__)

SIZES_FILE = "sizes.json"
ASIDE = "PART+"  # no prefix of a checkpoint


def count_processes():
    """Processes that train together.

    Returns
    -------
    int
        1 without a process group.

    Example
    -------
    >>> count_processes()
    1
    """
    return dist.get_world_size() if dist.is_initialized() else 1


def flush(folder):
    """Bring the files of a folder to the disk.

    Arguments
    ---------
    folder : Path
        The folder.
    """
    for path in [*folder.iterdir(), folder]:
        with suppress(OSError):  # some systems open or sync no folders
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def is_whole(folder):
    """Whether a checkpoint's files have the sizes they were written with.

    Arguments
    ---------
    folder : str or Path
        The checkpoint.

    Returns
    -------
    bool
        False too where there is no list of sizes.

    Example
    -------
    >>> is_whole("nowhere")
    False
    """
    folder = Path(folder)
    try:
        sizes = json.loads((folder / SIZES_FILE).read_text(encoding="utf-8"))
        return all(
            (folder / name).stat().st_size == size
            for name, size in sizes.items()
        )
    except (OSError, ValueError, AttributeError):
        return False


class WholeCheckpointer(Checkpointer):
    """A Checkpointer that writes aside, and skips what is not whole.

    Arguments
    ---------
    *args, **kwargs : tuple, dict
        Arguments of ``speechbrain.utils.checkpoints.Checkpointer``.

    Example
    -------
    >>> import torch
    >>> folder, layer = getfixture("tmp_path"), torch.nn.Linear(2, 2)
    >>> checkpointer = WholeCheckpointer(folder, {"layer": layer})
    >>> path = checkpointer.save_checkpoint(meta={"epoch": 1}).path
    >>> _ = (path / "layer.ckpt").write_bytes(b"")
    >>> checkpointer.find_checkpoint() is None
    True
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._named = set()

    def save_checkpoint(self, meta=None, **kwargs):
        """Save aside, then put the checkpoint in place in one step.

        Arguments
        ---------
        meta : dict, optional
            What the checkpoint says of itself; ``n_processes`` is added.
        **kwargs : dict
            Other arguments of ``Checkpointer.save_checkpoint``.

        Returns
        -------
        Checkpoint
            The checkpoint; None on other processes than the main one.
        """
        if if_main_process():
            for left_over in self.checkpoints_dir.glob(f"{ASIDE}*"):
                shutil.rmtree(left_over, ignore_errors=True)
        meta = {**(meta or {}), "n_processes": count_processes()}
        saved = super().save_checkpoint(meta=meta, **kwargs)
        saved = None if saved is None else self._put_in_place(saved)
        # What is deleted next is decided by each process from what it finds
        ddp_barrier()
        return saved

    def _put_in_place(self, saved):
        """Note the sizes, and give the checkpoint its name."""
        aside = saved.path
        sizes = {file.name: file.stat().st_size for file in aside.iterdir()}
        (aside / SIZES_FILE).write_text(json.dumps(sizes), encoding="utf-8")
        flush(aside)
        final = aside.with_name(aside.name.removeprefix(ASIDE))
        # Of the same given name; one that a crash leaves is found as such
        old = final.with_name(f"{final.name}.old")
        replace_folder(aside, final, old)
        files = {name: final / f.name for name, f in saved.paramfiles.items()}
        return saved._replace(path=final, paramfiles=files)

    def _new_checkpoint_dirpath(self):
        final = super()._new_checkpoint_dirpath()
        return final.with_name(ASIDE + final.name)

    def _custom_checkpoint_dirpath(self, name):
        final = super()._custom_checkpoint_dirpath(name)
        return final.with_name(ASIDE + final.name)

    def _list_checkpoint_dirs(self):
        found = super()._list_checkpoint_dirs()
        whole = [path for path in found if is_whole(path)]
        for path in sorted({*found} - {*whole} - self._named):
            self._named.add(path)
            logger.warning(
                "%s was cut off or changed: skipped, and the checkpoint "
                "before it is used; remove the folder",
                path,
            )
        return whole

    def check_processes(self):
        """Refuse to go on with another number of processes.

        Raises
        ------
        HyperparameterError
            If the newest checkpoint was written by another number; the
            message gives both and says how to go on.
        """
        newest = self.find_checkpoint()
        now = count_processes()
        if newest is None or newest.meta.get("n_processes", now) == now:
            return
        before = newest.meta["n_processes"]
        raise HyperparameterError(
            f"{newest.path} was written by {before} processes, and this is "
            f"a training of {now}: its place in the data would be another. "
            f"Go on with {before} (torchrun --nproc_per_node), or start a "
            "new training from its weights: --finetune_from "
            f"{newest.path.parent.parent} --output_folder <a new one>, and "
            "--init_from null if that was given"
        )
