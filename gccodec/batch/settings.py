"""How a run goes about its work, apart from what it makes."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from typing import NamedTuple

from gccodec.batch.options import Others
from gccodec.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Shard:
    """The part `index` of `count` of an archive, from 1; each file is in one, whatever else is
    there."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Of `2/8`; UsageError for anything else."""
        match = re.fullmatch("([0-9]{1,9})/([0-9]{1,9})", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise UsageError(f"--shard {text}: give I/N with I from 1 to N, as 2/8")
        return cls(int(match[1]), int(match[2]))

    def holds(self, name: str) -> bool:
        digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.index - 1

    def manifest_name(self, name: str) -> str:
        """Each shard has a manifest of its own."""
        stem, _, suffix = name.rpartition(".")
        return f"{stem}-{self.index}-of-{self.count}.{suffix}"


class Settings(NamedTuple):
    """out_dir: a folder or URL; manifest: another place for it, a file or URL.

    resume: go on with what a manifest says; redo: code again what was coded with other options;
    force: overwrite what is there; others: what becomes of files that are no pictures; verify:
    decode what was written; delete_sources: then delete the originals; shard: of the plan.
    """

    out_dir: str
    manifest: str | None = None
    resume: bool = False
    redo: bool = False
    force: bool = False
    others: Others = "skip"
    verify: bool = False
    delete_sources: bool = False
    shard: Shard | None = None

    def check(self) -> None:
        """UsageError for settings that contradict each other."""
        if not self.out_dir:
            raise UsageError("the name of the output folder is empty; . is the current one")
        if self.delete_sources and not self.verify:
            raise UsageError(
                "--delete-source needs --verify: an original goes only after its file was decoded"
            )
        if self.delete_sources and self.others != "skip":
            raise UsageError("--delete-source and --others exclude each other")
        if self.redo and not self.resume:
            raise UsageError("--redo needs --resume")
        if self.resume and self.force:
            raise UsageError(
                "--resume and -f exclude each other: one keeps what is done, the other "
                "overwrites it"
            )
