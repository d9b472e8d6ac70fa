"""Sound files for the tests of noises, rooms and their lists."""

import numpy as np
import pytest
import soundfile as sf


@pytest.fixture(scope="session")
def write_audio():
    """The function that writes white noise and returns its path."""

    def write(path, seconds=1.0, rate=16000, channels=1, seed=0):
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed)
        wav = 0.1 * rng.standard_normal((round(seconds * rate), channels))
        if path.suffix.lower() == ".opus":
            sf.write(path, wav, rate, format="OGG", subtype="OPUS")
        else:
            sf.write(path, wav, rate)
        return str(path)

    return write
