"""White noise in any format, for the tests of noises, rooms and lists."""

import numpy as np
import soundfile as sf


def write_audio(path, seconds=1.0, rate=16000, channels=1, seed=0):
    """Write white noise and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    wav = 0.1 * rng.standard_normal((round(seconds * rate), channels))
    if path.suffix.lower() == ".opus":
        sf.write(path, wav, rate, format="OGG", subtype="OPUS")
    else:
        sf.write(path, wav, rate)
    return str(path)
