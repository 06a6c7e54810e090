"""Coordinates follow the pixels: markers pinned in a picture are found where the maps say.

Tests run over the registry: an operator that moves pixels is held to its map, and one that declares
none is held to moving nothing.
"""

from __future__ import annotations

import pytest
import torch

from degrade import geometry, ops, pipeline
from degrade.errors import UserError
from degrade.kernels import centres
from degrade.schema import Applied
from tests.conftest import load_photo

MOVERS = [n for n in ops.names() if ops.get(n).comes_from is not None]
STILL = [n for n in ops.names() if ops.get(n).comes_from is None]
HEIGHT, WIDTH = 160, 200
MARKER = 1.5  # px, standard deviation


def pins() -> torch.Tensor:
    """(N, 2) places well inside the picture, none of them on a regular grid."""
    rows, columns = torch.meshgrid(torch.arange(4), torch.arange(5), indexing="ij")
    p = torch.stack((columns * 36.0 + 28.0, rows * 36.0 + 26.0), -1).reshape(-1, 2)
    return p + torch.stack(((p[:, 1] * 0.37) % 7, (p[:, 0] * 0.53) % 9), -1) - 4.0


def marked(points: torch.Tensor) -> torch.Tensor:
    """(N + 1, 3, H, W): a photograph with one spot each, and last without any."""
    x = load_photo("coffee", HEIGHT)[None, :, :HEIGHT, :WIDTH]
    away = (centres(x) - points[:, None]).square().sum(-1).view(-1, 1, HEIGHT, WIDTH)
    spot = torch.exp(away / (-2.0 * MARKER**2))
    # White on dark and black on bright: as visible as can be.
    contrast = (x.mean(1, keepdim=True) < 0.5).float()
    return torch.cat((x + spot * (contrast - x), x))


def found(y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Where the spots of :func:`marked` are in green: centroids, their radii, and if they are."""
    gap = (y[:-1, 1] - y[-1, 1]).abs().flatten(1)
    most = gap.amax(1, keepdim=True)
    weight = (gap - 0.4 * most).clamp(min=0.0)
    weight = weight / weight.sum(1, keepdim=True).clamp(min=1e-9)
    places = centres(y[:1])
    middle = (weight[..., None] * places).sum(1)
    away = (places - middle[:, None]).square().sum(-1)
    radius = (weight * away).sum(1).sqrt()
    # What an operator hid, or tore in two, has no place.
    return middle, radius, (most[:, 0] > 0.02) & (radius < 0.08 * HEIGHT)


def degraded(name: str, intensity: float, points: torch.Tensor) -> tuple[torch.Tensor, Applied]:
    x = marked(points)
    record = ops.get(name).sample(intensity, "pins", HEIGHT)
    return ops.get(name).apply(x, [record] * len(x)), record


@pytest.mark.parametrize("intensity", [0.15, 0.4])
@pytest.mark.parametrize("name", STILL)
def test_what_declares_no_map_moves_nothing(name: str, intensity: float) -> None:
    points = pins()
    y, record = degraded(name, intensity, points)
    where, radius, there = found(y)
    assert bool(there.any()), "no marker was found: nothing is known"
    off = (where - points)[there]
    # A marker may be smeared, fall into a coarse cell or be copied over a lost block beside it,
    # but they do not go anywhere together.
    assert float(off.norm(dim=1).median()) < 1.0 + 0.5 * float(radius[there].median())
    assert float(off.median(0).values.norm()) < 1.0
    assert not geometry.moves([record])
    assert torch.equal(geometry.apply_to_points(points, [record], HEIGHT, WIDTH), points)


@pytest.mark.parametrize("intensity", [0.15, 0.5, 1.0])
@pytest.mark.parametrize("name", MOVERS)
def test_markers_are_found_where_the_map_puts_them(name: str, intensity: float) -> None:
    points = pins()
    y, record = degraded(name, intensity, points)
    expected = geometry.apply_to_points(points, [record], HEIGHT, WIDTH)
    where, radius, there = found(y)
    there &= ~expected.isnan().any(1)
    assert float(there.float().mean()) >= 0.3
    off = (where - expected).norm(dim=1)[there]
    # A smear is as long as it is: its middle is known less well than that of a spot.
    near = off < 1.0 + 0.5 * (radius[there] - MARKER).clamp(min=0.0)
    assert float(near.float().mean()) >= 0.85, off
    assert float(off.median()) < 1.0, off
    assert geometry.moves([record])


@pytest.mark.parametrize("intensity", [0.3, 1.0])
@pytest.mark.parametrize("name", MOVERS)
def test_every_pixel_shows_what_its_map_says(name: str, intensity: float) -> None:
    ramps = centres(torch.zeros(1, 3, HEIGHT, WIDTH))[0].T.reshape(2, 1, HEIGHT, WIDTH)
    x = (0.2 + 0.6 * ramps / WIDTH).expand(-1, 3, -1, -1).contiguous()
    op = ops.get(name)
    record = op.sample(intensity, "ramps", HEIGHT)
    shown = (op.apply(x, [record] * 2)[:, 1] - 0.2) / 0.6 * WIDTH
    assert op.comes_from is not None
    expected = op.comes_from(x[:1], centres(x), **op.values([record]))[0].T.view(2, HEIGHT, WIDTH)
    inside = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
    for axis, length in enumerate((WIDTH, HEIGHT)):
        inside &= (expected[axis] > 12.0) & (expected[axis] < length - 12.0)
    assert float(inside.float().mean()) > 0.2
    off = (shown - expected).norm(dim=0)[inside]
    assert float(off.median()) < 0.25
    assert float(off.quantile(0.98)) < 1.0


@pytest.mark.parametrize("intensity", [0.2, 0.7])
@pytest.mark.parametrize("name", MOVERS)
def test_forward_and_backward_are_inverse(name: str, intensity: float) -> None:
    op = ops.get(name)
    record = op.sample(intensity, "inverse", HEIGHT)
    points = pins()
    there = geometry.apply_to_points(points, [record], HEIGHT, WIDTH)
    kept = ~there.isnan().any(1)
    assert float(kept.float().mean()) > 0.3
    assert op.comes_from is not None
    back = op.comes_from(torch.zeros(1, 3, HEIGHT, WIDTH), there[None], **op.values([record]))[0]
    off = (back - points)[kept].norm(dim=1)
    # One step short where the map folds or has a corner.
    assert float(off.quantile(0.9)) < 0.1
    assert float(off.max()) < 1.5


@pytest.mark.parametrize("intensity", [0.3, 1.0])
@pytest.mark.parametrize("name", MOVERS)
def test_a_mask_and_a_box_follow_the_object(name: str, intensity: float) -> None:
    # An object of one flat colour in front of another: where the picture shows it is the mask.
    x = torch.full((1, 3, HEIGHT, WIDTH), 0.2)
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.int32)
    box = torch.tensor([[70.0, 50.0, 126.0, 110.0]])
    mask[50:110, 70:126] = 7
    x[..., 50:110, 70:126] = 0.8
    record = ops.get(name).sample(intensity, "object", HEIGHT)
    y = pipeline.run(x, [[record]])
    shown = y[0, 1] > 0.5
    moved = geometry.apply_to_mask(mask, [record]) == 7
    # Edges may be blurred by the operator too.
    assert float((shown & moved).sum() / (shown | moved).sum()) > 0.85
    (found_box,) = geometry.apply_to_boxes(box, [record], HEIGHT, WIDTH).tolist()
    rows, columns = moved.nonzero().unbind(1)
    tight = [int(v) for v in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)]
    # 16 points along a side of 60 px are 4 px apart: no corner of the object is missed by more.
    assert found_box == pytest.approx(tight, abs=5.0)


def test_a_half_exchanged_block_is_followed_pixel_by_pixel() -> None:
    op = ops.get("block_exchange")
    x = torch.rand(1, 3, 97, 131, generator=torch.Generator().manual_seed(0))
    for share in (0.1, 0.23, 0.5):
        record = op.sample(None, "pairs", 97, given={"share": share})
        y = op.apply(x, [record])[0]
        places = centres(x)[0]
        there = geometry.apply_to_points(places, [record], 97, 131)
        kept = ~there.isnan().any(1)
        column, row = there[kept].floor().long().unbind(1)
        assert torch.equal(y[:, row, column], x[0].flatten(1)[:, kept])
        assert float(kept.float().mean()) > 0.95
        assert bool((there != places).any())


def test_records_are_followed_in_their_order() -> None:
    first = ops.get("atmospheric_turbulence").sample(0.8, "a", HEIGHT)
    second = ops.get("block_exchange").sample(0.6, "b", HEIGHT)
    noise = ops.get("gaussian_noise").sample(0.1, "c", HEIGHT)
    points = pins()
    plan = [first, noise, second]
    x = marked(points)
    where, _, there = found(pipeline.run(x, [plan] * len(x)))
    expected = geometry.apply_to_points(points, plan, HEIGHT, WIDTH)
    there &= ~expected.isnan().any(1)
    assert float((where - expected)[there].norm(dim=1).median()) < 1.5
    swapped = geometry.apply_to_points(points, plan[::-1], HEIGHT, WIDTH)
    assert not torch.allclose(expected, swapped, atol=3.0, equal_nan=True)


def test_intensity_zero_moves_nothing() -> None:
    points = pins()
    for name in MOVERS:
        record = ops.get(name).sample(0.0, "still", HEIGHT)
        assert not geometry.moves([record])
        assert torch.equal(geometry.apply_to_points(points, [record], HEIGHT, WIDTH), points)


def test_what_is_outside_has_no_place() -> None:
    outside = torch.tensor([[-3.0, 20.0], [20.0, 20.0], [WIDTH + 1.0, 5.0]])
    there = geometry.apply_to_points(outside, [], HEIGHT, WIDTH)
    assert there.isnan().any(1).tolist() == [True, False, True]
    boxes = torch.tensor([[-50.0, -40.0, -5.0, -6.0], [-20.0, 10.0, 30.0, 40.0]])
    gone, cut = geometry.apply_to_boxes(boxes, [], HEIGHT, WIDTH)
    assert bool(gone.isnan().all())
    assert float(cut[0]) >= 0.0
    assert cut[1:].tolist() == pytest.approx([10.0, 30.0, 40.0])


def test_wrong_shapes_and_records_are_named() -> None:
    with pytest.raises(UserError, match="Points are"):
        geometry.apply_to_points(torch.zeros(3, 3), [], 8, 8)
    with pytest.raises(UserError, match="Boxes are"):
        geometry.apply_to_boxes(torch.zeros(4), [], 8, 8)
    with pytest.raises(UserError, match="A mask is"):
        geometry.apply_to_mask(torch.zeros(1, 8, 8), [])
    record = ops.get("block_exchange").sample(0.5, "k", 16)
    with pytest.raises(UserError, match="short side"):
        geometry.apply_to_points(torch.zeros(1, 2), [record], 8, 8)


def test_a_released_formula_that_moves_pixels_is_refused() -> None:
    for name in ("atmospheric_turbulence", "block_exchange"):
        record = ops.get(f"published:{name}").sample(0.45, "k", HEIGHT)
        with pytest.raises(UserError, match=f"take {name}"):
            geometry.apply_to_points(pins(), [record], HEIGHT, WIDTH)
        with pytest.raises(UserError, match=f"take {name}"):
            geometry.apply_to_mask(torch.zeros(HEIGHT, WIDTH, dtype=torch.int32), [record])
    noise = ops.get("published:gaussian_noise").sample(0.45, "k", HEIGHT)
    assert torch.equal(geometry.apply_to_points(pins(), [noise], HEIGHT, WIDTH), pins())
