"""The detail of small pictures."""

from __future__ import annotations

import pytest

from streamflow.probing.media.luma import HEIGHT, WIDTH, Picture


def drawn(rows: list[list[int]]) -> Picture:
    return Picture(0.0, bytes(level for row in rows for level in row))


@pytest.mark.parametrize("slope", [(0, 0), (2, 0), (0, 3), (1, 2)])
def test_an_even_ramp_has_no_detail(slope: tuple[int, int]) -> None:
    ramp = [[slope[0] * column + slope[1] * row for column in range(WIDTH)] for row in range(HEIGHT)]
    assert drawn(ramp).detail == 0


def test_an_edge_is_detail_of_its_own_height() -> None:
    edge = [[0] * (WIDTH // 2) + [100] * (WIDTH // 2) for _ in range(HEIGHT)]
    pairs = HEIGHT * (WIDTH - 2) + (HEIGHT - 2) * WIDTH
    assert drawn(edge).detail == pytest.approx(100 * HEIGHT / pairs)
