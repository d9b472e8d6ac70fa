"""Plots made from files and arrays that other floors wrote."""
