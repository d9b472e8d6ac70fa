"""The subcommand app: the page in a browser.

Authors
 * The speechbrain_moe developers 2026
"""

from speechbrain_moe.cli.answer import Answer
from speechbrain_moe.cli.options import add_command, add_model

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
    add("--host", default="127.0.0.1", help="0.0.0.0 lets others in")
    add("--port", type=int, default=7860)
    add("--gallery", help="folder to keep enrolled voices in (default: none)")
    add("--report", help="routing.json of the command report, to show")
    add("--max_seconds", type=float, default=300, help="longest recording")
    add("--max_mb", type=int, default=50, help="largest upload")
    add_model(one, calibration=False)


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
        allow_code=given.allow_code,
    )
    return Answer({"stopped": True}, "stopped")
