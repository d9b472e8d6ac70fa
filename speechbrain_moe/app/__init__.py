"""The page: compare, enrol and identify voices in a browser."""

from speechbrain_moe.app.serve import launch

__all__ = ["launch"]
