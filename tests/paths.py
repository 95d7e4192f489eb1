"""Files that the tests use."""

from pathlib import Path

PHOTOS = Path(__file__).parent / "photos"
COFFEE = PHOTOS / "coffee.png"
CHELSEA = PHOTOS / "chelsea.png"
GOLDEN = Path(__file__).parent / "golden"
