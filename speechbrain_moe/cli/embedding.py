"""The subcommand embed: embeddings of many files.

Authors
 * The speechbrain_moe developers 2026
"""

from speechbrain_moe.cli.answer import Answer, say_left_out
from speechbrain_moe.cli.options import (
    add_command,
    add_model,
    open_model,
)
from speechbrain_moe.cli.outputs import check_out, without

EMBED = """\
embed a.wav b.wav -o embeddings.npz
embed recordings/ 'more/*.flac' @list.txt -o embeddings.csv
embed recordings/ -o embeddings.ark      # Kaldi's text form"""


def add_embed_command(commands):
    """Declare the subcommand embed.

    Arguments
    ---------
    commands : argparse._SubParsersAction
        Changed in place.
    """
    one = add_command(
        commands, "embed", embed, "write embeddings of files", EMBED
    )
    one.add_argument(
        "files",
        nargs="+",
        help="files, folders, globs, or lists (@list, .txt, .csv with path)",
    )
    one.add_argument(
        "-o",
        "--out",
        required=True,
        help="file to write: .npz, .csv, .ark or .parquet; run it again "
        "after a crash, and it goes on",
    )
    one.add_argument(
        "--batch_size", type=int, default=1, help="windows at a time"
    )
    add_model(one)


def embed(given):
    """Write the embeddings of files.

    Arguments
    ---------
    given : argparse.Namespace
        Arguments of the subcommand.

    Returns
    -------
    Answer
        How many, where, and which files could not be used.
    """
    from speechbrain_moe.inference.embedding_files import (
        check_target,
        write_embeddings,
    )
    from speechbrain_moe.inference.file_lists import list_files
    from speechbrain_moe.inference.list_embeddings import (
        embed_recordings,
        forget_parts,
        parts_of,
    )

    check_out(given.out, *(name.removeprefix("@") for name in given.files))
    paths = list_files(without(given.files, parts_of(given.out)))
    check_target(given.out, paths)
    found = embed_recordings(
        open_model(given), paths, given.out, batch_size=given.batch_size
    )
    write_embeddings(given.out, found)
    forget_parts(given.out)
    say_left_out(found.broken)
    content = {
        "out": given.out,
        "n_embedded": len(found.paths),
        "emb_dim": found.embeddings.shape[1],
        "left_out": found.broken,
    }
    text = f"{len(found.paths)} files embedded, {given.out} written"
    return Answer(content, text)
