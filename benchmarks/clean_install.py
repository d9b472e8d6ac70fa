#!/usr/bin/env python3
"""What a user gets: the wheel in a new environment, offline, stock code.

    python benchmarks/clean_install.py <speech pack>

 * builds the wheel, installs it into a new virtual environment, then works
   in an empty folder, with the Hub switched off and proxies that lead nowhere
 * stock SpeakerRecognition.from_hparams loads the weights that ship, embeds
   each file of the trial list alone, and scores by cosine
 * prints the EER beside the one in the package's metrics.json, and fails
   where they differ

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOWHERE = "http://127.0.0.1:9"
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "http_proxy": NOWHERE,
    "https_proxy": NOWHERE,
}

STOCK = """
import json, sys
from pathlib import Path
import numpy as np
from speechbrain.inference.speaker import SpeakerRecognition
import speechbrain_moe
from speechbrain_moe.inference.shipped import shipped_package
from speechbrain_moe.scoring.metrics import equal_error_rate

trial_list, audio = sys.argv[1:]
package = shipped_package()
encoder = SpeakerRecognition.from_hparams(source=str(package))
lines = [line.split() for line in Path(trial_list).read_text().splitlines()]
embeddings = {}
for path in sorted({path for _, *pair in lines for path in pair}):
    wav = encoder.load_audio(f"{audio}/{path}")
    embeddings[path] = encoder.encode_batch(wav).squeeze().numpy()
scores = np.array([embeddings[a] @ embeddings[b] for _, a, b in lines])
labels = np.array([int(label) for label, *_ in lines])
eer, _ = equal_error_rate(labels, scores)
known = json.loads((package / "metrics.json").read_text())
print(json.dumps({
    "installed_at": str(Path(speechbrain_moe.__file__).parent),
    "package": str(package), "n_trials": len(lines), "eer": eer,
    "metrics": known,
}))
"""


def install(folder):
    """Python of a new environment with the wheel in it."""
    # Or modules that were deleted since would be in the wheel
    shutil.rmtree(ROOT / "build" / "lib", ignore_errors=True)
    run = {"check": True, "stdout": subprocess.DEVNULL}
    pip = [sys.executable, "-m", "pip"]
    wheel = [*pip, "wheel", "--no-deps", "--wheel-dir", folder, str(ROOT)]
    subprocess.run(wheel, **run)
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    [wheel] = folder.glob("*.whl")
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB", flush=True)
    subprocess.run([python, "-m", "pip", "install", "-q", wheel], **run)
    return python


def measure(pack, folder):
    """What stock SpeechBrain finds, far from this checkout."""
    python = install(folder)
    empty = folder / "empty"
    empty.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-c", STOCK, pack / "meta/veri_test.txt", pack / "test"],
        cwd=empty,
        env={**environment, **OFFLINE},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def main():
    """Print both figures; exit code 1 where they differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path, help="the small speech pack")
    pack = parser.parse_args().pack.absolute()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(pack, Path(folder))
    known = found.pop("metrics")["eer"]
    print(json.dumps({**found, "eer_on_the_card": known}, indent=2))
    return int(abs(found["eer"] - known) > 0.05)


if __name__ == "__main__":
    sys.exit(main())
