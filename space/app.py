"""The page as a Hugging Face Space.

 * a Space is reached from outside its container, so it listens to all
 * short limits, as everybody may use it; nothing is stored

Authors
 * The speechbrain_moe developers 2026
"""

from speechbrain_moe.app import launch

if __name__ == "__main__":
    launch(host="0.0.0.0", max_seconds=60, max_mb=10)
