"""The subcommand app: the page in a browser.

Authors
 * The speechbrain_moe developers 2026
"""

from speechbrain_moe.cli.answer import Answer
from speechbrain_moe.cli.options import add_command

APP = """\
app
app --gallery team --port 8000"""


def add_app_command(commands):
    """Declare the subcommand app.

    Arguments
    ---------
    commands : argparse._SubParsersAction
        Changed in place.
    """
    one = add_command(
        commands, "app", app, "serve a page to try it in a browser", APP
    )
    add = one.add_argument
    add("--model", help="as for verify (default: the shipped weights)")
    add("--revision", help="of a Hub id: branch, tag or commit")
    add("--device", default="cpu", help="such as cpu (default) or cuda:0")
    add("--host", default="127.0.0.1", help="0.0.0.0 lets others in")
    add("--port", type=int, default=7860)
    add("--gallery", help="folder to keep enrolled voices in (default: none)")
    add("--report", help="routing.json of the command report, to show")
    add("--max_seconds", type=float, default=300, help="longest recording")
    add("--max_mb", type=int, default=50, help="largest upload")


def app(given):
    """Serve the page until it is stopped."""
    from speechbrain_moe.app import launch

    launch(
        given.model,
        given.host,
        given.port,
        given.gallery,
        given.max_seconds,
        given.max_mb,
        given.report,
        revision=given.revision,
        device=given.device,
    )
    return Answer({"stopped": True}, "stopped")
