"""The page on a port of this machine.

 * bound to 127.0.0.1 unless told otherwise; nothing is fetched from
   elsewhere by the page as it is used, nothing is reported anywhere, no link
   is shared; requests made by hand are gradio's to refuse
 * uploads lie in a temporary folder, for an hour, 2 GB of them at most; it
   goes with the page
 * gradio is imported here, when a page is asked for, not before

Authors
 * The speechbrain_moe developers 2026
"""

import os
import signal
import sys
import threading
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import getproxies_environment

from speechbrain_moe.errors import InputError, MissingPackageError

# Every 10 s: uploads that are an hour old, and what is beyond 2 GB
DELETE = (10, 3600, 2 * 10**9)

# As of gradio 6; all it would do beyond serving this page
NOTHING_ELSE = {
    "share": False,
    "ssr_mode": False,
    "pwa": False,
    "mcp_server": False,
    "enable_monitoring": False,
    "run_history": False,
    "footer_links": [],
    "quiet": True,
    "prevent_thread_lock": True,
}


def launch(
    model=None,
    host="127.0.0.1",
    port=7860,
    gallery=None,
    max_seconds=300,
    max_mb=50,
    report=None,
    **opening,
):
    """Serve the page until Ctrl-C, or SIGTERM.

    Arguments
    ---------
    model : str or Path, optional
        A package or training folder, the name of shipped weights, or a Hub
        id; by default the shipped weights.
    host : str
        Address to listen at; 0.0.0.0 lets other machines in, and asks nobody
        for a password.
    port : int
        Its port.
    gallery : str or Path, optional
        Folder to keep enrolled voices in; by default they are forgotten.
    max_seconds : float
        Longest recording that is taken.
    max_mb : int
        Largest file that is taken, in megabytes.
    report : str or Path, optional
        routing.json to show.
    **opening : dict
        More arguments of ``open_recognition``, such as device.

    Raises
    ------
    MissingPackageError
        If gradio is missing; the message gives the pip line.
    InputError
        If model, limits or port cannot be used.

    Example
    -------
    >>> launch(max_seconds=0)
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.InputError: max_seconds is 0, max_mb 50; give ...
    """
    most_mb = DELETE[2] // (2 * 10**6)  # two recordings are compared
    if not (max_seconds > 0 and 1 <= max_mb <= most_mb):
        raise InputError(
            f"max_seconds is {max_seconds}, max_mb {max_mb}; give more than "
            f"0 seconds and 1 to {most_mb} MB"
        )
    if not isinstance(port, int) or not 0 < port < 65536:
        raise InputError(f"port is {port}; give 1 to 65535")
    from speechbrain_moe.app.uploads import forgetting

    with TemporaryDirectory(prefix="speechbrain-moe-page-") as folder:
        gradio = import_gradio(folder)
        served = open_served(model, max_seconds, **opening)
        page = make_page(served, gallery, report)
        with forgetting(folder, *DELETE):
            serve(page, gradio, host, port, max_mb)


def import_gradio(folder):
    """Import gradio so that it reports nothing and keeps files in a folder."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = folder
    try:
        import gradio
    except ImportError as error:
        raise MissingPackageError(
            'the page needs gradio: pip install "speechbrain-moe[app]"'
        ) from error
    return gradio


def open_served(model, max_seconds, **opening):
    """Open a model and read what was measured of it.

    Arguments
    ---------
    model : str, Path or None
        As for ``launch``.
    max_seconds : float
        Longest recording that is taken.
    **opening : dict
        More arguments of ``open_recognition``.

    Returns
    -------
    Served
        The model.
    """
    from speechbrain_moe.app.words import Served
    from speechbrain_moe.inference.measured import METRICS_FILE, read_json
    from speechbrain_moe.inference.shipped import find_model, open_recognition
    from speechbrain_moe.inference.snapshot import fetch_snapshot

    recognition = open_recognition(model, **opening)
    place = find_model(model)
    name = Path(place).name
    if isinstance(place, str):  # on the Hub, and in the cache by now
        place = fetch_snapshot(place, opening.get("revision"))
    metrics = read_json(place / METRICS_FILE)
    return Served(recognition, name, metrics, max_seconds)


def make_page(served, gallery, report):
    """The page, with the gallery and the report that were asked for."""
    from speechbrain_moe.app.page import build_page
    from speechbrain_moe.app.routes import read_report

    if report is not None:
        read_report(report)  # now, not when somebody looks
    if gallery is not None:
        from speechbrain_moe.inference.gallery import Gallery

        gallery = Gallery(Path(gallery).absolute())
        gallery.names()  # a damaged one, too
    return build_page(served, gallery, report)


def serve(page, gradio, host, port, max_mb):
    """Listen, say where, and wait for the end."""
    from speechbrain_moe.app.words import STYLE

    fonts = {"font": ["system-ui", "sans-serif"], "font_mono": ["monospace"]}
    theme = gradio.themes.Default(primary_hue="blue", **fonts)
    reach_itself(host)
    try:
        page.launch(
            server_name=host,
            server_port=port,
            max_file_size=f"{int(max_mb)}mb",
            theme=theme,
            css=STYLE,
            **NOTHING_ELSE,
        )
    except OSError as error:
        raise InputError(
            f"{host}:{port} cannot be listened at ({error}); give another "
            "host or port"
        ) from error
    print(f"http://{host}:{port} - Ctrl-C ends it", file=sys.stderr)
    if threading.current_thread() is threading.main_thread():
        end_as_by_ctrl_c()
    with redirect_stdout(sys.stderr):  # gradio says when it ends
        page.block_thread()


def reach_itself(host):
    """Keep what gradio asks of its own server away from any proxy."""
    there = getproxies_environment().get("no")
    hosts = filter(None, (there, "localhost", host))
    os.environ["no_proxy"] = ",".join(hosts)


def end_as_by_ctrl_c():
    """Have SIGTERM, and a terminal that closes, let the uploads go."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        # nohup has it ignored
        if number and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
