"""A figure as a PNG, in a file or in memory.

Authors
 * The speechbrain_moe developers 2026
"""

from io import BytesIO


def save_png(figure, target):
    """Write a figure; its texts are what they say.

    Names of files, speakers and groups may hold any mark, so that ``$`` is
    none of mathematics.

    Arguments
    ---------
    figure : matplotlib.figure.Figure
        What to write.
    target : str, Path or stream
        Where to.
    """
    for text in figure.findobj(lambda part: hasattr(part, "set_parse_math")):
        text.set_parse_math(False)
    figure.savefig(target, format="png")


def png_of(figure) -> bytes:
    """A figure as bytes.

    Arguments
    ---------
    figure : matplotlib.figure.Figure
        What to write.

    Returns
    -------
    bytes
        A PNG, as ``save_png`` writes it.
    """
    stream = BytesIO()
    save_png(figure, stream)
    return stream.getvalue()
