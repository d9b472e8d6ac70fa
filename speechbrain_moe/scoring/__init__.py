"""Trials, metrics and intervals, on numpy float64 arrays alone."""
