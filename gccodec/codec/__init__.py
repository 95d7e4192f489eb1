"""Pixels <-> .gcz: padding, rate control, selection, encode, decode."""
