"""What every operator promises. Tests run over the registry: a new operator is covered as is."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity

from degrade import ops
from degrade.errors import UserError
from degrade.params import Choice, Draw, Severity
from degrade.schema import Applied, Param
from tests.conftest import load_photo

every_operator = pytest.mark.parametrize("name", ops.names())
GREY_LEVEL = 1.0 / 255.0


def differs(a: torch.Tensor, b: torch.Tensor) -> float:
    """Largest difference in grey levels."""
    return float((a - b).abs().max()) / GREY_LEVEL


@every_operator
def test_keeps_shape_type_and_range(name: str, photos: torch.Tensor) -> None:
    y, records = ops.get(name)(photos, [0.3, 0.7, 1.0], ["a", "b", "c"])
    assert y.shape == photos.shape
    assert y.dtype == torch.float32
    assert bool(torch.isfinite(y).all())
    assert float(y.min()) >= 0.0
    assert float(y.max()) <= 1.0
    assert len(records) == 3


@every_operator
def test_does_not_modify_its_input(name: str, photos: torch.Tensor) -> None:
    x = photos.clone()
    before = x._version
    ops.get(name)(x, [0.2, 0.6, 1.0], ["a", "b", "c"])
    assert x._version == before
    assert torch.equal(x, photos)


@every_operator
def test_intensity_zero_is_identity_and_small_intensity_is_near_it(
    name: str, photos: torch.Tensor
) -> None:
    op = ops.get(name)
    assert torch.equal(op(photos, [0.0] * 3, ["a", "b", "c"])[0], photos)
    tiny, _ = op(photos, [0.01] * 3, ["a", "b", "c"])
    half, _ = op(photos, [0.5] * 3, ["a", "b", "c"])

    def rmse(y: torch.Tensor) -> float:
        return float((y - photos).square().mean().sqrt())

    assert rmse(tiny) < 0.25 * rmse(half), "a jump at zero makes small intensities lies"


@every_operator
@pytest.mark.parametrize("side", [96, 40])
def test_a_row_does_not_depend_on_its_batch(name: str, side: int, photos: torch.Tensor) -> None:
    op = ops.get(name)
    x = photos[:, :, :side].repeat(4, 1, 1, 1)
    # Different for every row: a kernel that reads the first row's parameters would survive else.
    strengths = [0.9, 0.35, 0.6, 1.0, 0.02, 0.5, 0.07, 0.8, 0.0, 0.21, 0.99, 0.43]
    keys = [f"row {i}" for i in range(12)]
    together, records = op(x, strengths, keys)
    for i in range(12):
        alone = op.apply(x[i : i + 1], records[i : i + 1])
        assert differs(alone[0], together[i]) <= 1.0
    order = [7, 2, 0, 11, 4, 1]
    shuffled = op.apply(x[order], [records[i] for i in order])
    assert differs(shuffled, together[order]) <= 1.0


@every_operator
def test_a_record_survives_json_and_replays(name: str, photos: torch.Tensor) -> None:
    op = ops.get(name)
    y, records = op(photos, [0.4, 0.8, 0.15], ["a", "b", "c"])
    read = [Applied.model_validate_json(r.model_dump_json()) for r in records]
    assert read == records
    assert torch.equal(op.apply(photos, read), y)


@every_operator
def test_global_random_state_is_neither_read_nor_advanced(name: str, photos: torch.Tensor) -> None:
    op = ops.get(name)
    torch.manual_seed(1)
    first, records = op(photos, [0.5] * 3, ["a", "b", "c"])
    torch.manual_seed(2)
    np.random.seed(2)
    random.seed(2)
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    assert torch.equal(op.apply(photos, records), first)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])
    assert random.getstate() == states[2]


@every_operator
def test_draws_depend_on_the_key_and_not_on_the_intensity(name: str) -> None:
    op = ops.get(name)
    mild, severe = op.sample(0.23, ("k",), 512), op.sample(0.9, ("k",), 512)
    severities = {a.name for a in op.arguments if isinstance(a.declaration, Severity)}
    assert mild.seeds == severe.seeds
    for a, b in zip(mild.params, severe.params, strict=True):
        assert (a.name in severities) or a == b
    drawn = [a for a in op.arguments if a.name not in severities]
    if drawn:
        others = [op.sample(0.23, ("other", i), 512) for i in range(9)]  # some of another kind
        assert any(other != mild for other in others)


@every_operator
@pytest.mark.parametrize("photo", ["coffee", "boats"])
def test_more_intensity_is_more_damage(name: str, photo: str) -> None:
    x = load_photo(photo, 224)[None]
    op = ops.get(name)
    steps = [i / 10 for i in range(11)]
    clean = np.round(x[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    rmse, dissimilarity = [], []
    for intensity in steps:
        y, _ = op(x, [intensity], ["monotone"])
        bad = np.round(y[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        rmse.append(float(np.sqrt(np.mean((bad.astype(float) - clean) ** 2))))
        dissimilarity.append(1.0 - structural_similarity(clean, bad, channel_axis=2))
    assert spearmanr(steps, rmse).statistic >= 0.98, rmse
    assert spearmanr(steps, dissimilarity).statistic >= 0.98, dissimilarity


@every_operator
@pytest.mark.parametrize(
    "size", [(1, 1), (1, 37), (37, 1), (2, 3), (16, 16), (17, 31), (333, 64), (40, 250), (1, 700)]
)
def test_any_size_passes(name: str, size: tuple[int, int]) -> None:
    x = torch.rand((2, 3, *size), generator=torch.Generator().manual_seed(0))
    y, _ = ops.get(name)(x, [0.9, 0.4], ["a", "b"])
    assert y.shape == x.shape
    assert bool(torch.isfinite(y).all())


@every_operator
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_flat_black_and_white_pictures_stay_finite(name: str, level: float) -> None:
    x = torch.full((1, 3, 48, 64), level)
    for intensity in (0.1, 1.0):
        y, _ = ops.get(name)(x, [intensity], ["flat"])
        assert bool(torch.isfinite(y).all())


@every_operator
def test_an_empty_batch_passes(name: str) -> None:
    y, records = ops.get(name)(torch.zeros(0, 3, 8, 8), [], [])
    assert (y.shape, records) == ((0, 3, 8, 8), [])


@every_operator
def test_gradients_flow_where_the_listing_says_so(name: str, photos: torch.Tensor) -> None:
    op = ops.get(name)
    with torch.inference_mode():  # what it may keep for later must do with gradients too
        op(photos, [0.5] * 3, ["a", "b", "c"])
    x = photos.clamp(0.05, 0.95).requires_grad_()
    y, _ = op(x, [0.3, 0.5, 0.7], ["a", "b", "c"])
    if not op.differentiable:
        assert not y.requires_grad, "gradients that are not true must not be offered"
        return
    y.sum().backward()
    assert x.grad is not None
    assert bool(torch.isfinite(x.grad).all())
    assert float(x.grad.abs().sum()) > 0.0


@every_operator
def test_another_version_or_size_is_refused(name: str, photos: torch.Tensor) -> None:
    op = ops.get(name)
    record = op.sample(0.5, "k", 96)
    newer = record.model_copy(update={"version": op.version + 1})
    with pytest.raises(UserError, match="version"):
        op.apply(photos[:1], [newer])
    with pytest.raises(UserError, match="short side"):
        op.apply(photos[:1], [op.sample(0.5, "k", 224)])
    with pytest.raises(UserError, match="name exactly"):
        op.apply(photos[:1], [record.model_copy(update={"params": ()})])


@every_operator
@given(intensity=st.floats(0, 1), key=st.text(max_size=20), side=st.integers(1, 5000))
def test_any_draw_is_a_valid_record(name: str, intensity: float, key: str, side: int) -> None:
    op = ops.get(name)
    record = op.sample(intensity, key, side)
    assert Applied.model_validate_json(record.model_dump_json()) == record
    assert op.sample(intensity, key, side) == record
    assert record.label == name.replace("_", " ")


@every_operator
@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0, 1e9])
def test_a_given_value_works_or_is_refused(name: str, value: float) -> None:
    op = ops.get(name)
    x = load_photo("coffee", 32)[None]
    for argument in op.arguments:
        if not isinstance(argument.declaration, Severity | Draw):
            continue
        kinds = {
            a.name: argument.declaration.only[0]
            for a in op.arguments
            if isinstance(a.declaration, Choice) and argument.declaration.only
            if argument.declaration.only[0] in a.declaration.kinds
        }
        try:
            record = op.sample(0.7, "k", min(x.shape[-2:]), kinds | {argument.name: value})
        except UserError:
            continue
        assert bool(torch.isfinite(op.apply(x, [record])).all()), argument.name


def kinds_of(name: str) -> list[dict[str, str]]:
    """All combinations of the kinds of an operator's short choices."""
    found: list[dict[str, str]] = [{}]
    for a in ops.get(name).arguments:
        if isinstance(a.declaration, Choice) and len(a.declaration.kinds) <= 6:
            found = [{**rest, a.name: kind} for rest in found for kind in a.declaration.kinds]
    return found


@every_operator
def test_a_record_holds_what_has_an_effect_on_its_kind(name: str) -> None:
    op = ops.get(name)
    x = load_photo("coffee", 230)[None, :, :160, :160]  # scan lines below 3 px are drawn at 3
    declared = {a.name: a.declaration for a in op.arguments}
    for kinds in kinds_of(name):
        record = op.sample(0.8, "effect", 160, kinds)
        y = op.apply(x, [record])
        for i, param in enumerate(record.params):
            d = declared[param.name]
            ends = [d.at(0.3, 160)] if isinstance(d, Severity) else []
            if isinstance(d, Draw) and d.low < d.high:
                ends = [d.at(0.0, 160), d.at(0.99, 160)]
            if ends:
                near_first = abs(ends[0] - param.value) < abs(ends[-1] - param.value)
                far = ends[-1] if near_first else ends[0]
                other = list(record.params)
                other[i] = param.model_copy(update={"value": far})
                changed = op.apply(x, [record.model_copy(update={"params": tuple(other)})])
                assert not torch.equal(changed, y), (kinds, param.name)
        # What it does not hold has none: an older record may hold it.
        for idle in declared.keys() - op.told(record):
            d = declared[idle]
            assert isinstance(d, Severity | Draw)
            extra = Param(name=idle, value=d.at(0.5, 160), unit=d.unit)
            more = record.model_copy(update={"params": (*record.params, extra)})
            assert torch.equal(op.apply(x, [more]), y), (kinds, idle)


@every_operator
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_agrees_with_cpu(name: str) -> None:
    x = load_photo("coffee", 224)[None]
    op = ops.get(name)
    for intensity in (0.2, 0.6, 1.0):
        cpu, records = op(x, [intensity], ["device"])
        cuda = op.apply(x.cuda(), records).cpu()
        near = ((cpu - cuda).abs() <= GREY_LEVEL).all(dim=1).float().mean()
        assert float(near) >= 0.999


@every_operator
def test_the_listing_is_complete(name: str) -> None:
    op = ops.get(name)
    assert op.summary.endswith((".", "]"))
    assert op.refs, "say where the model comes from"
    assert all(a.span for a in op.arguments)
