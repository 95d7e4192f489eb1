"""Whole archives: plan, manifest, workers, report."""
