"""Bytes <-> parsed file; standard library only."""
