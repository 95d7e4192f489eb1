"""gccodec info"""

from __future__ import annotations

from typing import Any

import click

from gccodec.cli.message import json_line, printable
from gccodec.cli.stream import named, read_input
from gccodec.container.file import GczFile, metadata_bytes, overhead_bytes, parse
from gccodec.container.section import SectionId
from gccodec.errors import WeightsError


def describe(file: GczFile, total_bytes: int) -> dict[str, Any]:
    """Everything the header tells, with units in the names."""
    exact = file.coding == "lossless"
    known = {int(s): s.name.lower() for s in SectionId}
    return {
        "width": file.width,
        "height": file.height,
        "mode": ("gray" if file.gray else "rgb") + ("+alpha" if _is_transparent(file) else ""),
        "coding": file.coding,
        "kept_share": round(share_kept(file), 4),
        "metadata_bytes": metadata_bytes(file),
        "bytes": total_bytes,
        "bpp": round(8 * total_bytes / (file.width * file.height), 6),
        "quality": None if exact else file.quality / 10,
        "model_id": None if exact else file.model_id.hex(),
        "latent_bytes": len(file.payload),
        "overhead_bytes": overhead_bytes(file),
        "sections": [
            {"name": known.get(s.id, f"unknown {s.id}"), "bytes": len(s.body)}
            for s in file.sections
        ],
    }


def _is_transparent(file: GczFile) -> bool:
    if file.coding == "lossless":  # the picture itself has to be looked at
        from gccodec.codec.lossless import is_transparent

        return is_transparent(file)
    return file.body(SectionId.ALPHA) is not None


def share_kept(file: GczFile) -> float:
    """Share of the pixels that are kept; a plain file is not looked at further."""
    if file.body(SectionId.KEEP_MASK) is None:
        return 1.0
    from gccodec.semantics.keep_mask import kept_share

    return kept_share(file)


def regions(file: GczFile) -> list[dict[str, Any]]:
    """What a file with a keep mask is made of; WeightsError when its model is not there."""
    if file.body(SectionId.KEEP_MASK) is None:
        return []
    from gccodec.codec.composition import composition
    from gccodec.weights.folder import WeightsFolder

    bitstream = WeightsFolder.installed().load_bitstream(file.model_id)
    return [
        region._asdict()
        | {"area_share": round(region.area_share, 4), "kept_share": round(region.kept_share, 4)}
        for region in composition(file, bitstream)
    ]


@click.command("info")
@click.argument("input", metavar="FILE")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(input: str, as_json: bool) -> None:
    """Say what the .gcz FILE (- is stdin) holds. Needs no torch, and weights only to list regions.

    \b
    gccodec info photo.gcz --json
    """
    data = read_input(input)
    with named(input):
        file = parse(data, max_pixels=1 << 32)
        facts = describe(file, len(data))
    try:
        facts["regions"] = regions(file)
    except WeightsError as error:
        facts["regions"] = None
        click.echo(f"gccodec: {printable(f'{input}: regions are not listed: {error}')}", err=True)
    if as_json:
        click.echo(json_line({"input": input} | facts))
        return
    tell(input, facts)
    for section in facts["sections"]:
        click.echo(f"  section {section['name']}: {section['bytes']} bytes")


def tell(name: str, facts: dict[str, Any]) -> None:
    """What `describe` and `regions` found, in words."""
    what = {
        "lossless": "exact: every pixel is as it was",
        "selective": "selective compression",
        "region": "generative compression with a region of interest",
        "generative": "generative compression of the whole picture",
    }[facts["coding"]]
    click.echo(f"{printable(name)}: {facts['width']}x{facts['height']} {facts['mode']}, {what}")
    if facts["coding"] == "lossless":
        click.echo(
            f"  {facts['bytes']} bytes, {facts['bpp']:.4f} bpp, framing "
            f"{facts['overhead_bytes']} bytes"
        )
        click.echo("  needs no model")
        return
    selective = facts["coding"] == "selective"
    if facts["coding"] != "generative":
        rest = "synthesised from a label map alone" if selective else "coded more coarsely"
        click.echo(f"  {facts['kept_share']:.1%} of the area is kept, the rest is {rest}")
    where = "of what is kept, " if selective else ""
    origin = "shapes and colours come from the original, fine detail is made up by the generator;"
    origin += " no part is exact"
    click.echo(f"  {where}{origin}")
    click.echo(
        f"  {facts['bytes']} bytes, {facts['bpp']:.4f} bpp, quality {facts['quality']} of 100"
    )
    click.echo(f"  latents {facts['latent_bytes']} bytes, framing {facts['overhead_bytes']} bytes")
    click.echo(f"  needs model {facts['model_id']}")
    rest = "synthesised" if selective else "coarse"
    for region in facts["regions"] or []:
        share = region["kept_share"]
        state = {0: rest, 1: "kept"}.get(share, f"{share:.1%} kept, else {rest}")
        click.echo(
            f"  {region['name']}: {region['area_share']:.1%} of the area, {region['bits']} "
            f"bits, {state}"
        )
