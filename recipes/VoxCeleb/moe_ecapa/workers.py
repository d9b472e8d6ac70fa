"""Ask a script many questions, in a process for each core.

* Questions and answers are JSON on stdin and stdout; a process lives for one
  question, so none outlives a killed parent for long.
* No fork (unsafe after torch has started its threads) and no spawn (which
  would import the training script once more in each).

Authors
 * The speechbrain_moe developers 2026
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor


def ask_workers(script, questions, n_workers=None):
    """Answers of a script, in the order of the questions.

    Arguments
    ---------
    script : str
        Python file that reads one question and writes one answer.
    questions : sequence
        Anything that JSON holds; each is taken when its turn comes.
    n_workers : int, optional
        Processes at a time; default: one for each core.

    Yields
    ------
    object
        Answer of each question.

    Raises
    ------
    subprocess.CalledProcessError
        If a worker fails; what it wrote to stderr stands above.

    Example
    -------
    >>> script = getfixture("tmp_path") / "echo.py"
    >>> _ = script.write_text("import sys; print(sys.stdin.read())")
    >>> list(ask_workers(script, [1, "two"]))
    [1, 'two']
    """

    def ask(number):
        done = subprocess.run(
            [sys.executable, str(script)],
            input=json.dumps(questions[number]).encode(),
            stdout=subprocess.PIPE,
            check=True,
        )
        return json.loads(done.stdout)

    with ThreadPoolExecutor(n_workers or os.cpu_count()) as pool:
        yield from pool.map(ask, range(len(questions)))
