"""Rows, questions and measurements for the offline writer."""

from __future__ import annotations

import random
from collections.abc import Iterator

from annotate.measure import COLORS, Seen
from benchmarks import made_up
from degrade.schema import Applied, Param, Question, Row

PARAMS: dict[str, tuple[tuple[str, float, float, str], ...]] = {
    "lens_blur": (("radius", 0.0, 14.0, "px"),),
    "motion_blur": (("length", 0.0, 48.0, "px"), ("angle", 32.0, 32.0, "degrees")),
    "lens_flare": (
        ("energy", 0.0, 1.0, "x strongest flare"), ("across", 0.1, 0.1, "x width"),
        ("down", 0.2, 0.2, "x height"), ("temperature", 3000.0, 3000.0, "K"),
        ("blades", 7.0, 7.0, "aperture blades"), ("turn", 9.0, 9.0, "degrees"),
    ),
    "dirty_lens": (("coverage", 0.0, 1.0, "share of the dirt"), ("opacity", 0.6, 1.0, "x dirt")),
    "hsv_saturation": (("factor", 1.0, 0.0, "x saturation"),),
    "jpeg_compression": (("quality", 95.0, 4.0, "JPEG quality"),),
    "block_exchange": (("share", 0.0, 0.6, "share of blocks"), ("block", 30.0, 30.0, "px")),
    "mean_shift": (("value_radius", 0.0, 13.0, "gray levels"), ("radius", 6.0, 12.0, "px")),
    "scan_lines": (
        ("depth", 0.0, 0.9, "share of light"), ("period", 8.0, 8.0, "px"),
        ("phase", 20.0, 20.0, "deg"),
    ),
    "dark_illumination": (("ev", 0.0, 4.5, "EV"), ("full_well", 2e5, 1e3, "electrons")),
    "atmospheric_turbulence": (("d_over_r0", 0.0, 5.0, "D/r0"), ("correlation", 24.0, 24.0, "px")),
    "gaussian_noise": (("sigma", 0.0, 0.3, "full scale"),),
    "color_diffusion": (
        ("sigma", 0.0, 38.0, "px"), ("delay", 0.0, 14.0, "px"), ("gain", 1.0, 2.0, "x chroma"),
    ),
    "sharpness_change": (("amount", 0.0, 10.0, "x detail"), ("radius", 2.0, 2.0, "px")),
    "graffiti": (("strokes", 0.0, 8.0, "strokes"), ("width", 6.0, 14.0, "px")),
    "watermark_damage": (
        ("removed", 0.0, 1.0, "share of the mark"), ("brush", 6.0, 6.0, "px"),
        ("angle", -20.0, -20.0, "deg"),
    ),
}  # fmt: skip
QUESTION = Question(
    question="What is the man holding?",
    choices=("umbrella", "bat", "phone", "kite"),
    answer="1",
    caption="A man in a red shirt standing near a fence.",
    rationales=("The man is holding a bat.", "It is used in baseball.", "He swings it at a ball."),
)


def applied(name: str, intensity: float) -> Applied:
    given = PARAMS[name]
    params = [Param(name=n, value=a + (b - a) * intensity, unit=u) for n, a, b, u in given]
    return Applied(
        operator=name, version=1, stage="environment", intensity=intensity, short_side=480,
        params=tuple(params),
    )  # fmt: skip


def row(key: str, *items: Applied) -> Row:
    return Row(
        file_name="images/1.png", id=key, source_path="1.jpg", width=640, height=480,
        encoding="png", degradations="", applied=items,
    )  # fmt: skip


def seen(rng: random.Random) -> Seen:
    nine = [[round(rng.random(), 3) for _ in range(9)] for _ in range(3)]
    return Seen(
        luma_clean=0.5, luma_degraded=0.3, contrast_clean=0.2, contrast_degraded=0.1,
        saturation_clean=0.3, saturation_degraded=0.2, noise=0.05, clipped_dark=0.1,
        clipped_bright=0.05, kept=tuple(nine[0]), luma=tuple(nine[1]), detail=tuple(nine[2]),
        colors=tuple(rng.choice(COLORS) for _ in range(9)), palette=("gray", "blue", "brown"),
    )  # fmt: skip


def cases(count: int, seed: int = 0) -> Iterator[tuple[Row, Question, Seen | None]]:
    rng = random.Random(seed)
    for i in range(count):
        names = sorted(rng.sample(sorted(PARAMS), rng.choice((0, 1, 2, 3, 3, 4, 5, 7))))
        items = [applied(n, round(rng.random(), 2)) for n in names]
        yield (
            row(f"{seed}/{i}", *items),
            made_up.question(seed, str(i)),
            seen(rng) if i % 5 else None,
        )
