"""Weights files: the bitstream that fixes every symbol, and the networks that serve it. Torch is
not needed here."""
