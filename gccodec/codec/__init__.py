"""Pixels <-> .gcz: picture files, padding, rate control, encode, decode."""
