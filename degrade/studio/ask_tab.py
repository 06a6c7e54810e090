"""The tab that asks a model about a picture and shows its chain by parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from degrade.errors import StoppedError, UserError
from degrade.images import Pixels
from degrade.schema import AnswerForm, Question
from degrade.studio import pieces, pixels
from degrade.studio.cells import chain_parts
from degrade.studio.chain import Chain
from degrade.studio.edit_tab import EditTab
from degrade.studio.photos import Photo

CLEAN, DEGRADED = "as it is", "degraded, as in the first tab"


@dataclass(frozen=True)
class Model:
    """Something to ask.

    Attributes:
        name: For people.
        ask: (H, W, 3) uint8 and a question -> what it says and how many tokens that is.
    """

    name: str
    ask: Callable[[Pixels, Question], tuple[str, int]]


class AskTab:
    """The tab's components and what they do.

    Args:
        gr: From :func:`degrade.studio.gateway.gradio`, within ``gr.Blocks``.
        edit: The tab whose picture it takes.
        model: Whom to ask; None: nobody.
    """

    def __init__(self, gr: Any, edit: EditTab, model: Model | None) -> None:
        if model is None:
            gr.HTML(
                pieces.note(
                    "No model was given. Start the studio with one: degrade-cli studio --model "
                    "run, or --model NAME with --endpoint or --base-url."
                )
            )
            return
        self.model = model
        gr.HTML(pieces.note(f"Asks {model.name} about the picture of the first tab."))
        with gr.Row(elem_classes="dg-two"):
            with gr.Column():
                which = gr.Radio([DEGRADED, CLEAN], value=DEGRADED, label="Picture")
                question = gr.Textbox(label="Question", placeholder="What is on the table?")
                choices = gr.Textbox(
                    label="Choices", info="One a line; none for a free answer.", lines=3
                )
                forms = list(get_args(AnswerForm))
                form = gr.Dropdown(
                    forms, value="index", label="How the model was taught to name a choice"
                )
                ask = gr.Button("Ask", variant="primary")
            with gr.Column():
                reply = gr.HTML()
        seen = [edit.photo, edit.chain, which, question, choices, form]
        for event in (ask.click, question.submit):
            event(
                self._ask,
                seen,
                reply,
                show_progress="minimal",
                api_visibility="private",
                concurrency_limit=1,
                concurrency_id="model",
            )

    def _ask(
        self, photo: Photo, chain: Chain, which: str, text: str, listed: str, form: AnswerForm
    ) -> str:
        if not text.strip():
            return pieces.alert("There is no question yet.")
        choices = tuple(line.strip() for line in listed.splitlines() if line.strip())
        asked = Question(
            question=text.strip(), choices=choices, answer_as=form if choices else "text"
        )
        shown = photo.full()
        try:
            if which == DEGRADED:
                shown = pixels.degraded(shown, chain.records)
            said, tokens = self.model.ask(shown, asked)
        except (UserError, StoppedError) as error:
            return pieces.alert(str(error))
        return f"{chain_parts(said)}{pieces.note(f'{tokens} tokens')}"
