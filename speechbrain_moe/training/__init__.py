"""Data, augmentation and the Brain that trains a speaker encoder."""
