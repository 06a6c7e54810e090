"""The tab on which a picture is degraded by eye."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from degrade import ops
from degrade.errors import UserError
from degrade.schema import STAGES
from degrade.studio import looks, photos, pieces
from degrade.studio.chain import Chain
from degrade.studio.controls import Control, controls
from degrade.studio.photos import Photo
from degrade.studio.shelf import Shelf

ALL = "all"


class EditTab:
    """The tab's components and what they do; a visitor's data is in ``gr.State`` alone.

    Args:
        gr: From :func:`degrade.studio.gateway.gradio`, within ``gr.Blocks``.
        shelf: What was given.
        max_pixels: Of a picture.
    """

    def __init__(self, gr: Any, shelf: Shelf, max_pixels: int) -> None:
        self.gr, self.shelf, self.max_pixels = gr, shelf, max_pixels
        first = photos.shipped(max_pixels)
        self.options: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        self.photo = gr.State(first, time_to_live=6 * 3600)
        self.chain = gr.State(Chain(first.side).add("lens_blur", 0.3), time_to_live=6 * 3600)
        self.structure = gr.State(0)
        with gr.Row(elem_classes="dg-columns"):
            with gr.Column(scale=7, elem_classes="dg-left"):
                self._viewer()
                self._texts()
            with gr.Column(scale=5, min_width=320, elem_classes="dg-right"):
                self._picker()
                self.drawing = gr.Accordion("Draw a chain from a recipe", open=False)
                self._chain_head()
                self.steps = gr.Column()
                self.anew = gr.Button("Draw everything anew", size="sm", elem_classes="dg-quiet")
        self._wire()

    # ---------------------------------------------------------------------------- components

    def _viewer(self) -> None:
        gr = self.gr
        with gr.Column(elem_classes="dg-sticky"):
            gr.HTML(pieces.viewer(looks.VIEWER, "The picture before and after"))
            self.before = gr.HTML(elem_classes="dg-feed")
            self.after = gr.HTML(elem_classes="dg-feed")
            self.figures = gr.HTML()
            self.full = gr.Checkbox(False, label="Full size", visible=False)

    def _picker(self) -> None:
        gr = self.gr
        names = [photos.SHIPPED, *self.shelf.pictures]
        with gr.Row(equal_height=True, elem_classes="dg-row"):
            self.pick = gr.Dropdown(names, value=names[0], label="Picture", scale=3, min_width=180)
            self.upload = gr.UploadButton(
                "Upload a picture", file_types=["image"], scale=1, min_width=140
            )

    def _chain_head(self) -> None:
        gr = self.gr
        gr.HTML('<h2 class="dg-h2">Operators, in order</h2>')
        with gr.Row(equal_height=True, elem_classes="dg-row"):
            self.stage = gr.Dropdown(
                [ALL, *STAGES], value=ALL, label="Stage", scale=2, min_width=120
            )
            self.operator = gr.Dropdown(
                self.operators(ALL),
                value="lens_blur",
                label="Operator",
                scale=3,
                min_width=150,
                elem_classes="dg-search",
            )
            self.add = gr.Button("Add", variant="primary", scale=1, min_width=72)

    def _texts(self) -> None:
        gr = self.gr
        with gr.Tabs(elem_classes="dg-texts"):
            with gr.Tab("Record"):
                self.record = gr.HTML()
            with gr.Tab("JSON"):
                self.data = gr.HTML()
            with gr.Tab("Recipe"):
                self.everything = gr.Checkbox(
                    True,
                    label="Fix everything that was drawn",
                    info="The recipe makes these very pixels. Without, it keeps the operators, "
                    "intensities and what you set, and draws the rest for each picture.",
                )
                self.recipe = gr.HTML()
            with gr.Tab("Command"):
                self.command = gr.HTML()
            with gr.Tab("Python"):
                self.python = gr.HTML()

    @staticmethod
    def operators(stage: str = ALL) -> list[tuple[str, str]]:
        """What a dropdown lists: labels and names of the operators of a stage."""
        found = [ops.get(name) for name in ops.names()]
        found.sort(key=lambda op: (STAGES.index(op.stage), op.label))
        return [
            (op.label if stage != ALL else f"{op.label} · {op.stage}", op.name)
            for op in found
            if stage in (ALL, op.stage)
        ]

    # ---------------------------------------------------------------------------- behaviour

    @property
    def seen(self) -> list[Any]:
        """What a look is made from."""
        return [self.photo, self.chain, self.full, self.everything]

    @property
    def structural(self) -> list[Any]:
        """What a change of the steps themselves is shown in; see :meth:`changed`."""
        return [self.chain, self.structure, *self.view]

    @property
    def view(self) -> list[Any]:
        """What a look is shown in, in the order of its fields."""
        return [
            self.after,
            self.figures,
            self.record,
            self.data,
            self.recipe,
            self.command,
            self.python,
        ]

    def _wire(self) -> None:
        gr = self.gr
        seen, options = self.seen, self.options

        def show(photo: Photo, chain: Chain, full: bool, everything: bool) -> tuple[Any, ...]:
            return tuple(looks.look(photo, chain, full, everything))

        def show_all(photo: Photo, chain: Chain, full: bool, everything: bool) -> tuple[Any, ...]:
            return looks.before(photo, full), *looks.look(photo, chain, full, everything)

        self.everything.input(show, seen, self.view, **options)
        slow = options | {"show_progress": "minimal"}
        self.full.input(show_all, seen, [self.before, *self.view], **slow)

        def pick_stage(stage: str) -> Any:
            listed = self.operators(stage)
            return gr.Dropdown(listed, value=listed[0][1])

        self.stage.input(pick_stage, self.stage, self.operator, **options)

        def add(photo: Photo, chain: Chain, full: bool, everything: bool, name: str) -> Any:
            return self.changed(photo, chain, full, everything, lambda c: c.add(name))

        self.add.click(add, [*seen, self.operator], self.structural, **options)

        def anew(photo: Photo, chain: Chain, full: bool, everything: bool) -> Any:
            return self.changed(photo, chain, full, everything, lambda c: c.reseed(c.seed + 1))

        self.anew.click(anew, seen, self.structural, **options)
        opened = [self.photo, self.full, self.before, *self.structural]
        listed = [*opened, self.pick]

        def pick(name: str, chain: Chain, everything: bool) -> Any:
            return self.opened(lambda: self._given(name), chain, everything)

        def uploaded(file: str, chain: Chain, everything: bool) -> Any:
            return *self.opened(lambda: self._uploaded(file), chain, everything), None

        self.pick.input(pick, [self.pick, self.chain, self.everything], opened, **options)
        self.upload.upload(uploaded, [self.upload, self.chain, self.everything], listed, **options)

        with self.steps:
            triggers = [self.structure.change]
            gr.render(self.chain, triggers, show_progress="hidden")(self._cards)

    def start(self, blocks: Any) -> None:
        """Show the first picture when the page is loaded."""

        def loaded(photo: Photo, chain: Chain) -> tuple[Any, ...]:
            return looks.before(photo), 1, *looks.look(photo, chain)

        outputs = [self.before, self.structure, *self.view]
        blocks.load(loaded, [self.photo, self.chain], outputs, **self.options)

    def changed(
        self,
        photo: Photo,
        chain: Chain,
        full: bool,
        everything: bool,
        change: Callable[[Chain], Chain],
    ) -> tuple[Any, ...]:
        """The chain after a change that adds, moves or removes controls, and what it does."""
        problem = ""
        try:
            chain = change(chain)
        except UserError as error:
            problem = str(error)
        shown = looks.look(photo, chain, full, everything, problem)
        return chain, hash(chain), *shown

    def opened(self, get: Callable[[], Photo], chain: Chain, everything: bool) -> tuple[Any, ...]:
        """Another picture under the same chain; the old one stays where it cannot be opened."""
        gr = self.gr
        try:
            photo = get()
            chain = chain.resized(photo.side)
        except UserError as error:
            skipped = [gr.skip()] * (len(self.view) + 5)
            skipped[6] = pieces.alert(str(error))  # the figures
            return tuple(skipped)
        full = gr.Checkbox(False, visible=looks.offered(photo))
        shown = looks.look(photo, chain, False, everything)
        return photo, full, looks.before(photo), chain, hash(chain), *shown

    def _given(self, name: str) -> Photo:
        if name == photos.SHIPPED:
            return photos.shipped(self.max_pixels)
        path = self.shelf.pictures.get(name)
        if path is None:
            raise UserError("That picture was not given to the studio.")
        try:
            return photos.opened(name, path.read_bytes(), self.max_pixels)
        except OSError as error:
            raise UserError(f"Cannot read {name}: {error.strerror}.") from None

    def _uploaded(self, file: str) -> Photo:
        path = Path(file)
        try:
            return photos.opened(path.name, path.read_bytes(), self.max_pixels)
        except OSError as error:
            raise UserError(f"Cannot read the upload: {error.strerror}.") from None
        finally:
            path.unlink(missing_ok=True)

    # ---------------------------------------------------------------------------- the steps

    def _cards(self, chain: Chain) -> None:
        gr = self.gr
        if not chain.steps:
            gr.HTML(pieces.note("None yet: the picture is clean. Add one above."))
        for number, step in enumerate(chain.steps, 1):
            with gr.Group(elem_classes="dg-step"):
                self._card(number, chain, step.uid)

    def _card(self, number: int, chain: Chain, uid: int) -> None:
        gr = self.gr
        step = chain.step(uid)
        gr.HTML(looks.title(number, chain))
        intensity = gr.Slider(
            0,
            1,
            step.record.intensity,
            step=0.01,
            label="Intensity",
            interactive=True,
            elem_classes="dg-intensity",
        )
        with gr.Row(elem_classes="dg-params"):
            made = [(c, self._component(c)) for c in controls(step)]
        with gr.Row(elem_classes="dg-row dg-actions"):
            actions: list[tuple[str, Callable[[Chain], Chain], bool]] = [
                ("Up", lambda c: c.move(uid, -1), number > 1),
                ("Down", lambda c: c.move(uid, +1), number < len(chain.steps)),
                ("Draw anew", lambda c: c.redraw(uid), any(c.kind != "value" for c, _ in made)),
                ("Remove", lambda c: c.remove(uid), True),
            ]
            for label, change, possible in actions:
                button = gr.Button(label, size="sm", min_width=60, interactive=possible)
                self._structural(button.click, change)
        values = [(c, part) for c, part in made if c.kind == "value"]
        self._live(intensity.input, intensity, uid, None, intensity, values)
        for control, part in made:
            if control.kind == "choice":
                self._structural_value(part, uid, control.name)
            else:
                self._live(part.input, part, uid, control.name, intensity, values)

    def _component(self, c: Control) -> Any:
        gr = self.gr
        common: dict[str, Any] = {
            "label": c.label,
            "info": c.info,
            "interactive": True,
            "min_width": 170,
        }
        if c.kind == "choice":
            return gr.Dropdown(list(c.kinds), value=c.value, **common)
        if c.kind == "draw":
            return gr.Slider(c.low, c.high, c.value, step=c.step, **common)
        if c.kind == "seed":
            return gr.Number(c.value, precision=0, minimum=c.low, maximum=c.high, **common)
        return gr.Number(c.value, step=c.step, **common)

    def _structural(self, event: Any, change: Callable[[Chain], Chain]) -> None:
        def run(photo: Photo, chain: Chain, full: bool, everything: bool) -> Any:
            return self.changed(photo, chain, full, everything, change)

        event(run, self.seen, self.structural, **self.options)

    def _structural_value(self, part: Any, uid: int, name: str) -> None:
        def run(photo: Photo, chain: Chain, full: bool, everything: bool, value: str) -> Any:
            change = partial(Chain.set_value, uid=uid, name=name, value=value)
            return self.changed(photo, chain, full, everything, change)

        part.input(run, [*self.seen, part], self.structural, **self.options)

    def _live(
        self,
        event: Any,
        part: Any,
        uid: int,
        name: str | None,
        intensity: Any,
        values: list[tuple[Control, Any]],
    ) -> None:
        """A control that keeps all others in place, and those that follow it in step."""
        others = [(c.name, p) for c, p in values if p is not part]
        if part is not intensity:
            others.append(("", intensity))
        gr = self.gr

        def run(photo: Photo, chain: Chain, full: bool, everything: bool, value: Any) -> Any:
            problem = ""
            try:
                if value is None:  # an emptied box
                    pass
                elif name is None:
                    chain = chain.set_intensity(uid, value)
                else:
                    chain = chain.set_value(uid, name, value)
            except UserError as error:
                problem = str(error)
            shown = looks.look(photo, chain, full, everything, problem)
            record = next((s.record for s in chain.steps if s.uid == uid), None)
            if record is None:
                return chain, *shown, *[gr.skip()] * len(others)
            now = {p.name: p.value for p in record.params} | {"": record.intensity}
            return chain, *shown, *[now.get(key) for key, _ in others]

        outputs = [self.chain, *self.view, *(p for _, p in others)]
        event(run, [*self.seen, part], outputs, trigger_mode="always_last", **self.options)
