"""A life on a Hub, in a process of its own: what happened, as json.

huggingface_hub reads its environment on import, so it is set before. Every
result is a value, or ``Kind: message`` of the error that it ended in.
"""

import json
import os
import sys
from argparse import Namespace
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path

from hub_server import TOKEN, Repository, run_hub

FOLDERS = [Path(folder) for folder in sys.argv[1:4]]
HOME = Path(*sys.argv[4:5])
ID = "user/voices"
found = {}


def note(name, function, *args, **kwargs):
    """Call, keep what came out for the tests, and return it."""
    try:
        result = function(*args, **kwargs)
    except Exception as error:
        result = f"{type(error).__name__}: {error}"
    found[name] = result if isinstance(result, (str, list)) else str(result)
    return result


def sums_of(state, name=ID):
    """Whole content of the head of a repository, by name."""
    repository = state.repositories[name]
    files = repository.commits[repository.head]
    return {path: hash(content) for path, (content, _) in files.items()}


def names_in(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def live(state):
    import torch
    from speechbrain.inference.speaker import SpeakerRecognition
    from speechbrain.utils.fetching import FetchConfig, LocalStrategy

    from speechbrain_moe.inference.hub import pull, push
    from speechbrain_moe.inference.loading import open_package

    torch.manual_seed(0)
    wavs = torch.randn(1, 8000)

    def embed(encoder):
        return encoder.encode_batch(wavs).flatten()[:4].tolist()

    def opened(*args, **kwargs):
        return embed(open_package(*args, **kwargs))

    def stock(source=ID, **kwargs):
        kwargs.setdefault("run_opts", {"device": "cpu"})
        return embed(SpeakerRecognition.from_hparams(source, **kwargs))

    def at(revision):
        return FetchConfig(revision=revision)

    one, two, three = FOLDERS
    copies = LocalStrategy.COPY
    found["one"], found["two"] = opened(one), opened(two)

    first = push(one, ID, message="First voices", tag="v1")
    note("page", str, first.url)
    found["pulled"] = names_in(pull(ID, HOME / "pulled"))
    found["links"] = sum(p.is_symlink() for p in (HOME / "pulled").iterdir())
    note("opened from the pulled folder", opened, HOME / "pulled")
    note("stock", stock)
    note("snippet of the card", run_snippet, HOME / "pulled")
    note("stock with a savedir", stock, savedir=HOME / "a")
    note("opened with a savedir", opened, ID, savedir=HOME / "b")

    (HOME / "twice").mkdir()
    second = push(two, ID)
    found["commits"] = len(state.repositories[ID].commits) - 1
    found["head"] = sorted(sums_of(state))
    note("opened, main", opened, ID)
    note("opened, tag", opened, ID, "v1")
    note("opened, commit", opened, ID, first.commit)
    note("command, tag", lambda: opened(folder_of_command(ID, "v1")))
    note("stock, main", stock)
    note("stock, commit", stock, fetch_config=at(first.commit))
    stale = {"savedir": HOME / "a", "local_strategy": copies}
    note("stock, stale savedir", stock, **stale)
    note("opened, stale savedir", opened, ID, savedir=HOME / "b")
    pinned = {"savedir": HOME / "b", "revision": "v1"}
    note("opened, savedir of the revision", opened, ID, **pinned)
    note("pull, stale folder", pull, ID, HOME / "pulled")
    note("pull, new folder", pull, ID, HOME / "twice", "v1")
    found["twice"] = names_in(HOME / "twice")

    note("wrong revision", opened, ID, "v9")
    note("missing repository", opened, "user/nothing")
    state.repositories["user/else"] = Repository(private=False)
    note("no package", opened, "user/else")
    training = Repository(private=False)
    training.commits[training.head]["hyperparams.yaml"] = (b"a: 1\n", False)
    state.repositories["user/training"] = training
    note("command, training", folder_of_command, "user/training", None)
    note("pull, wrong id", pull, "voices", HOME / "voices")
    note("wrong id", opened, "user/nothing/at/all")
    push(one, "user/secret", private=True)
    note("private, no token", opened, "user/secret", token=False)
    note("private, token of the environment", opened, "user/secret")
    note("push, no token", push, one, "user/mine", token=False)
    note("push, private to public", push, one, ID, private=True)
    note("push, tag there", push, three, ID, tag="v1")
    damaged = Path(three) / "classifier.safetensors"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1] + b"?")
    note("push, damaged", push, three, ID)
    damaged.write_bytes(whole)
    found["refused pushes"] = len(state.repositories[ID].commits) - 3

    before = sums_of(state)
    for part in ("/_lfs/", "/commit/"):
        state.dropped = part
        note(f"push, cut at {part}", push, three, ID, tag="v3")
        state.dropped = ""
    note("opened after the cuts", opened, ID)
    found["unchanged"] = sums_of(state) == before
    found["tags"] = sorted(state.repositories[ID].tags)
    note("push after the cuts", push, three, ID, tag="v3")
    note("opened, pushed again", opened, ID, "v3")
    found["three"] = opened(three)
    with no_links():
        note("no links, opened", opened, ID, "v1", HOME / "c")
        copied = {"savedir": HOME / "d", "local_strategy": copies}
        note("no links, stock", stock, fetch_config=at("v1"), **copied)
    return first, second, opened, stock


def folder_of_command(model, revision):
    """Where a command that was given a model and a revision finds it."""
    from speechbrain_moe.cli.options import model_folder

    return model_folder(Namespace(model=model, revision=revision))


def run_snippet(package):
    """Run the Python of a package's card in an empty folder."""
    (HOME / "empty").mkdir()
    os.chdir(HOME / "empty")
    card = (package / "README.md").read_text(encoding="utf-8")
    code = card.split("```python\n")[1].split("```")[0]
    with redirect_stdout(StringIO()) as printed:
        exec(code, {})
    return printed.getvalue()


@contextmanager
def no_links():
    """As on Windows, with a cache that is empty."""
    from huggingface_hub import constants

    def refuse(*args, **kwargs):
        raise OSError("a required privilege is not held by the client")

    kept = constants.HF_HUB_CACHE, os.symlink
    constants.HF_HUB_CACHE, os.symlink = str(HOME / "other"), refuse
    yield
    constants.HF_HUB_CACHE, os.symlink = kept


def alone(first, second, opened, stock):
    """The same process once the server is gone."""
    note("offline, commit", opened, ID, first.commit)
    note("offline, tag", opened, ID, "v1")
    note("offline, unseen", opened, "user/unseen")
    note("offline, unseen commit", opened, ID, "f" * 40)
    note("offline, stock folder", stock, str(FOLDERS[0]))
    for blob in (HOME / "hf").rglob("blobs/*"):
        if blob.stat().st_size > 100_000:
            content = bytearray(blob.read_bytes())
            content[-1] ^= 1
            blob.write_bytes(bytes(content))
    note("changed byte in the cache", opened, ID, second.commit)
    stale = "stock, changed byte in the cache"
    note(stale, stock, fetch_config=fixed(second.commit))


def fixed(revision):
    from speechbrain.utils.fetching import FetchConfig

    return FetchConfig(revision=revision)


def main():
    with run_hub() as (address, state):
        os.environ.update(
            HF_ENDPOINT=address,
            HF_HUB_DISABLE_XET="1",
            HF_HUB_DISABLE_PROGRESS_BARS="1",
            HF_HUB_DISABLE_SYMLINKS_WARNING="1",
            HF_HOME=str(HOME / "hf"),
            HF_TOKEN=TOKEN,
        )
        import huggingface_hub.utils._http as http

        http.time.sleep = lambda seconds: None  # between its retries
        last = live(state)
    alone(*last)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
