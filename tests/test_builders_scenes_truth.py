"""What drawn scenes claim is what their pixels show."""

from __future__ import annotations

import cv2
import numpy as np

from builders.scenes import Scene, draw
from builders.scenes.families.charts import Chart
from builders.scenes.families.clocks import Clocks
from builders.scenes.families.gauges import Panel
from builders.scenes.families.table import Table
from tests.scenes_help import apart, of


def pixels(scene: Scene) -> np.ndarray:
    return draw(scene).astype(np.float64)


def _darkness(image: np.ndarray, x: float, y: float, low: float, high: float) -> np.ndarray:
    """Mean of 255 - green along each of 360 rays, clockwise from the top."""
    a = np.radians(np.arange(360))[:, None]
    r = np.linspace(low, high, 6)[None]
    rows = np.round(y - r * np.cos(a) - 0.5).astype(int)
    columns = np.round(x + r * np.sin(a) - 0.5).astype(int)
    return 255 - image[rows, columns, 1].mean(1)


def _off(a: float, b: float) -> float:
    return abs((a - b + 180) % 360 - 180)


def test_hands_of_clocks_stand_where_the_time_says():
    read = 0
    for scene in of("clocks")[:25]:
        layout, image = scene.layout, pixels(scene)
        assert isinstance(layout, Clocks)
        unit = scene.size[0] / scene.frame.width
        for clock in layout.clocks:
            x, y, r = clock.x * unit, clock.y * unit, clock.radius * unit
            hour, minute = clock.hands()
            seen = np.argmax(np.convolve(_darkness(image, x, y, 0.45 * r, 0.5 * r), np.ones(3)))
            assert _off(float(seen) - 1, minute) < 5, (scene.index, clock)
            near = _darkness(image, x, y, 0.22 * r, 0.34 * r)
            near[[round(minute + d) % 360 for d in range(-24, 25)]] = 0
            if _off(hour, minute) > 30:
                assert _off(float(np.argmax(np.convolve(near, np.ones(5)))) - 2, hour) < 9
                read += 1
    assert read > 20


def test_needles_of_gauges_stand_where_the_reading_says():
    for scene in of("gauges")[:25]:
        layout, image = scene.layout, pixels(scene)
        assert isinstance(layout, Panel)
        unit = scene.size[0] / scene.frame.width
        for dial in layout.dials:
            redness = image[..., 0] - image[..., 2]
            x, y, r = dial.x * unit, dial.y * unit, dial.radius * unit
            rays = 255 - _darkness(np.stack([redness] * 3, 2), x, y, 0.25 * r, 0.36 * r)
            seen = float(np.argmax(np.convolve(rays, np.ones(5)))) - 2
            assert _off(seen, dial.angle(dial.value)) < 6, (scene.index, dial)


def test_bars_of_charts_are_as_high_as_their_values():
    read = 0
    for scene in of("charts"):
        layout = scene.layout
        assert isinstance(layout, Chart)
        if layout.kind != "bar":
            continue
        image, unit = pixels(scene), scene.size[0] / scene.frame.width
        top = layout.plot[1]
        for n, tone in enumerate(layout.tones):
            if layout.colors[n] == "gray":
                continue  # told from the paper by its hue
            x, y = (v * unit for v in layout.top(n))
            column = image[:, round(x) - 1 : round(x) + 2].mean(1)
            # Like the bar rather than like the paper, whatever the light.
            hue = column / column.sum(1, keepdims=True)
            bar, paper = (np.array(c) / sum(c) for c in (tone, (240, 240, 236)))
            like = np.abs(hue - bar).sum(1) < np.abs(hue - paper).sum(1)
            inside = like[round(top * unit) - 4 :].astype(float)
            runs = np.convolve(inside, np.ones(6), "valid")  # grid lines are thinner
            seen = round(top * unit) - 4 + np.argmax(runs > 5.5)
            assert abs(seen - y) < 2.5, scene.index
            read += 1
    assert read > 60


_HUES = {"blue": (105, 128), "purple": (132, 152)}


def test_as_many_things_are_seen_as_are_counted():
    read = 0
    for scene in of("table", 400):
        layout = scene.layout
        assert isinstance(layout, Table)
        kinds = {t.kind for t in layout.things}
        if not kinds <= {"mug", "ball", "vase", "jar", "bucket"}:
            continue
        hsv = cv2.cvtColor(draw(scene), cv2.COLOR_RGB2HSV)
        table = hsv[round((layout.edge + 2) * scene.size[1] / scene.frame.height) :]
        for color, (low, high) in _HUES.items():
            alike = [t for t in layout.things if t.color == color]
            room = [
                (t.x - 0.6 * t.height, t.y - 1.1 * t.height, t.x + 0.75 * t.height, t.y + 4)
                for t in alike
            ]
            if not apart(room):
                continue  # neighbors of one color would be joined with their highlights
            mask = (table[..., 0] >= low) & (table[..., 0] <= high) & (table[..., 1] > 110)
            joined = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5)))
            _, _, stats, _ = cv2.connectedComponentsWithStats(joined)
            large = (stats[1:, cv2.CC_STAT_AREA] > 150).sum()
            assert large == len(alike) == layout.count(color=color), (scene.index, color)
            read += len(alike)
    assert read > 15
