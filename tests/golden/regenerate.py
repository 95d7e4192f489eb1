"""`make golden`: add golden files for the cases that have none, with the shipped weights.

Nothing that is there is ever written again: an old file must decode to what it always has. A file
that is on record and missing is an error, not a reason to make another.
"""

import json
import sys
from pathlib import Path

from gccodec.codec.codec import Codec
from tests.golden.cases import CASES
from tests.golden.facts import facts
from tests.paths import GOLDEN

LATENTS = GOLDEN / "latents.json"
"""The record of the first files: symbols alone. Others have a record each, `<name>.json`."""


def on_record(folder: Path) -> set[str]:
    """Names of the files that a folder must have."""
    latents = folder / LATENTS.name
    first = json.loads(latents.read_text()) if latents.exists() else {}
    records = {path.stem for path in folder.glob("*.json")} - {latents.stem}
    return {Path(name).stem for name in first} | records


def missing(folder: Path) -> list[str]:
    """Those of them that are gone."""
    return sorted(name for name in on_record(folder) if not (folder / f"{name}.gcz").exists())


def add(folder: Path, codec: Codec, names: list[str]) -> list[str]:
    """Make the files of these cases that are not there, each with its record; their names."""
    added = []
    for name in names:
        path = folder / f"{name}.gcz"
        if path.exists():
            continue
        case = CASES[name]()
        data = codec.encode(case.picture, effort=0, **case.options).data
        with path.open("xb") as file:
            file.write(data)
        with (folder / f"{name}.json").open("x") as record:
            record.write(json.dumps(facts(data), indent=2) + "\n")
        added.append(name)
    return added


def main() -> None:
    if gone := missing(GOLDEN):
        sys.exit(f"golden files are missing: {', '.join(gone)}; git checkout brings them back")
    for name in add(GOLDEN, Codec.load(), list(CASES)):
        print(f"{GOLDEN / name}.gcz")


if __name__ == "__main__":
    main()
