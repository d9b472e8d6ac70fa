"""Mixture-of-Experts speaker encoders for SpeechBrain.

 * ``lobes``: the network (gate, experts, mixture, losses)
 * ``training``: data, augmentation and the Brain that trains it
 * ``scoring``: trials, EER, minDCF, intervals, on numpy arrays alone
 * ``inference``: embeddings from files, exported packages
 * ``report``: plots of what the others wrote

Authors
 * The speechbrain_moe developers 2026
"""

__version__ = "0.1.0"
