"""Where the packages are; all else stands in setup.cfg.

The weights that ship lie in pretrained/, and are installed below the package.
"""

from setuptools import find_packages, setup

WEIGHTS = "speechbrain_moe.pretrained"

setup(
    packages=[*find_packages(include=["speechbrain_moe*"]), WEIGHTS],
    package_dir={WEIGHTS: "pretrained"},
    package_data={WEIGHTS: ["*/*"]},
)
