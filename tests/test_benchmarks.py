"""What the benchmarks compare with is what it claims to be."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from skimage.metrics import structural_similarity
from skimage.transform import downscale_local_mean

from benchmarks import calibration, severity, synth
from benchmarks.peers import libraries
from degrade import ops, published, recipe
from degrade.executor import Options, Synth
from tests.conftest import load_photo

PRESET = Path(__file__).parents[1] / "degrade" / "recipes" / "robust-r1.yaml"
SIXTEEN = {
    name for names in yaml.safe_load(PRESET.read_text())["stages"].values() for name in names
}


def _picture(photos: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray((photos[0] * 255).round().byte().permute(1, 2, 0).numpy())


def test_every_operator_of_the_published_set_has_its_formula() -> None:
    assert set(libraries.FORMULAS) == SIXTEEN


def test_peers_are_of_operators_that_exist() -> None:
    assert set(ops.names()) >= libraries.PEERS


ONCE = {"mean_shift", "color_diffusion"}  # slow; draws above 0.9 alone


@pytest.mark.parametrize("name", sorted(set(libraries.FORMULAS) - ONCE))
def test_peers_of_the_released_formulas_draw_anew_at_each_call(
    name: str, photos: torch.Tensor
) -> None:
    (peer,) = (p for p in libraries.peers(name) if p.library == "published")
    call, clean = peer.make(), cv2.resize(_picture(photos) // 4, (480, 384))
    one, two = call(clean), call(clean)
    assert (one.shape, one.dtype) == (clean.shape, np.uint8)
    assert np.array_equal(one, two) == (not libraries.FORMULAS[name].arguments)


INSTALLED = {"albumentations", "kornia"}  # imagecorruptions is no requirement of the tests
SQUARE = 512  # sizes in the table are of this


@pytest.mark.parametrize("name", sorted(set(ops.names()) & libraries.PEERS))
def test_peers_change_the_picture_and_keep_its_size(name: str, photos: torch.Tensor) -> None:
    clean = cv2.resize(_picture(photos), (SQUARE, SQUARE))
    batch = torch.from_numpy(clean).permute(2, 0, 1)[None] / 255.0
    for peer in (p for p in libraries.peers(name) if p.library in INSTALLED):
        call, given = peer.make(), batch if peer.batched else clean
        assert np.asarray(call(given)).shape == given.shape, peer.what
        # They draw from generators of their own, and one draw may leave a picture as it is.
        draws = (np.asarray(call(given)) for _ in range(20))
        assert any(not np.array_equal(made, given) for made in draws), peer.what


@pytest.mark.parametrize("window", [7, 9, 17])
def test_structural_similarity_is_that_of_scikit_image(window: int, photos: torch.Tensor) -> None:
    a = _picture(photos)
    b = published.transmission.jpeg_compression(a, 0.9)
    theirs = structural_similarity(a, b, win_size=window, channel_axis=2, data_range=255)
    assert severity.structural_similarity(a, b, window) == pytest.approx(theirs, abs=1e-9)


def test_every_step_of_a_run_has_its_clock(tmp_path: Path) -> None:
    synth.make_sources(tmp_path / "src", 2, 48)
    chosen = recipe.load("single").narrowed(["gaussian_noise"], 0.5)
    clocks = synth.Clocks(torch.device("cpu"))
    with synth.watched(clocks):
        run = Synth(tmp_path / "src", tmp_path / "out", chosen, 0, Options(device="cpu", workers=1))
        run.run()
    labels = {label or "operator gaussian_noise" for _, _, label in synth.STEPS}
    assert set(clocks.calls) == labels
    assert min(clocks.calls.values()) >= 2


WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang, Simoncelli & Bovik 2003, section 3.2


def _multiscale(a: np.ndarray, b: np.ndarray) -> float:
    """MS-SSIM by scikit-image's SSIM at each scale."""
    x, y = a.astype(float), b.astype(float)
    found = []
    for scale in range(len(WEIGHTS)):
        # So large a first constant makes the luminance term 1 and leaves contrast and structure.
        first = 0.01 if scale == len(WEIGHTS) - 1 else 1e5
        found.append(
            structural_similarity(
                x, y, win_size=11, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
                K1=first, data_range=255, channel_axis=-1,
            )
        )  # fmt: skip
        height, width = (n // 2 * 2 for n in x.shape[:2])
        x, y = (downscale_local_mean(z[:height, :width], (2, 2, 1)) for z in (x, y))
    return float(np.prod(np.clip(found, 0, None) ** np.array(WEIGHTS)))


@pytest.mark.parametrize(
    "name", ["gaussian_noise", "lens_blur", "brightness_shift", "quantization"]
)
def test_ms_ssim_is_that_of_scikit_image_at_five_scales(name: str) -> None:
    photo = load_photo("coffee", 211)  # sides that do not halve evenly
    clean = (photo * 255).round().byte().permute(1, 2, 0).numpy()
    for intensity in (0.1, 0.5, 1.0):
        bad, _ = ops.get(name)(photo[None], [intensity], ["it"])
        degraded = severity.to_uint8(bad)
        ours = calibration.multiscale(clean, degraded)
        assert ours == pytest.approx(_multiscale(clean, degraded), abs=1e-9)
        assert ours < 1.0


def test_ms_ssim_is_one_for_equal_and_zero_for_opposite_pictures(photos: torch.Tensor) -> None:
    clean = np.kron(_picture(photos), np.ones((3, 3, 1), np.uint8))
    assert calibration.multiscale(clean, clean) == pytest.approx(1.0, abs=1e-9)
    assert calibration.multiscale(clean, 255 - clean) == 0.0
