"""What a command has to say: an object for programs, words for people.

Authors
 * The speechbrain_moe developers 2026
"""

import json
import sys
from typing import NamedTuple


class Answer(NamedTuple):
    """The outcome of a command.

    Arguments
    ---------
    content : dict
        Plain values; what ``--json`` prints.
    text : str, optional
        For people; by default a line for each value.
    status : int
        Exit status.

    Example
    -------
    >>> Answer({"package": "out"}).said(as_json=False)
    'package: out'
    """

    content: dict
    text: str | None = None
    status: int = 0

    def said(self, as_json):
        """What to print.

        Arguments
        ---------
        as_json : bool
            Whether one JSON object is wanted.

        Returns
        -------
        str
            Without a line end.
        """
        if as_json:
            return json.dumps(self.content)
        if self.text is not None:
            return self.text
        return "\n".join(f"{k}: {v}" for k, v in self.content.items())


def say_left_out(broken):
    """Tell on stderr which files could not be used.

    Arguments
    ---------
    broken : dict of str
        Reason by path.
    """
    for path, reason in broken.items():
        print(f"left out: {path}: {reason}", file=sys.stderr)
