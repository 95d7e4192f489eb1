"""Photographs, their label maps and renders: what a step of training is made of."""
