"""A figure whose texts are what they say; its module needs matplotlib.

Authors
 * The speechbrain_moe developers 2026
"""

from matplotlib.figure import Figure
from matplotlib.text import Text


class PlainFigure(Figure):
    """A Figure that takes no ``$`` for the beginning of mathematics.

    Names of files, speakers and groups may hold any mark.

    Arguments
    ---------
    *args, **kwargs : tuple, dict
        Arguments of ``matplotlib.figure.Figure``.
    """

    def draw(self, renderer):
        """Draw all, texts as they are.

        Arguments
        ---------
        renderer : matplotlib.backend_bases.RendererBase
            Where to.
        """
        for text in self.findobj(Text):
            text.set_parse_math(False)
        super().draw(renderer)
