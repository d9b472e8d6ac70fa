"""Embeddings from files, and packages that stock SpeechBrain loads."""
