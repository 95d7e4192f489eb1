"""Rows [n, w, C] of one picture, the channels of a place together, and views of them by cells of
side x side places."""

from __future__ import annotations

from torch import Tensor


def rows_of(x: Tensor) -> Tensor:
    """[1, C, n, w] -> [n, w, C], a view."""
    return x[0].permute(1, 2, 0)


def in_cells(rows: Tensor, side: int) -> Tensor:
    """[side n, side w, C] -> [n, row, w, column, C], a view."""
    return rows.unflatten(0, (-1, side)).unflatten(2, (-1, side))


def at_places(x: Tensor, side: int) -> Tensor:
    """[n, w, side * side * C], the channels as (row, column, channel) -> [n, row, w, column, C], a
    view."""
    return x.unflatten(2, (side, side, -1)).transpose(1, 2)


def gathered(rows: Tensor, side: int) -> Tensor:
    """[side n, side w, C] -> [n, w, side * side * C], the channels as (row, column, channel)."""
    return in_cells(rows, side).transpose(1, 2).flatten(2)
