"""Files that the tests use."""

from pathlib import Path

PHOTOS = Path(__file__).parent / "photos"
COFFEE = PHOTOS / "coffee.png"
CHELSEA = PHOTOS / "chelsea.png"
CASES = Path(__file__).parent / "cases"
GOLDEN = Path(__file__).parent / "golden"
