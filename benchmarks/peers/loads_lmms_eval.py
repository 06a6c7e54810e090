"""lmms-eval's own task manager and evaluator on an export; see ``loaders.py``.

    python loads_lmms_eval.py EXPORT

A model that always answers the same must be right as often as that answer is.
"""

from __future__ import annotations

import sys

import pytest
from lmms_eval.evaluator import simple_evaluate
from lmms_eval.tasks import TaskManager


def main(folder: str) -> None:
    """Evaluate every task."""
    manager = TaskManager(include_path=folder, include_defaults=False)
    for name in manager.all_tasks:
        docs = manager.load_task_or_group([name])[name].eval_docs_no_media
        said = docs[0]["answer"]
        share = sum(doc["answer"] == said for doc in docs) / len(docs)
        found = simple_evaluate(
            model="dummy",
            model_args=f"response={said}",
            tasks=[name],
            task_manager=manager,
            batch_size=1,
            log_samples=False,
            bootstrap_iters=0,
        )
        scored = found["results"][name]
        assert scored["acc,none"] == pytest.approx(share), f"{name}: {scored}, not {share}"
        levels = {doc["split"] for doc in docs if doc["level"] is not None}
        for level in sorted(levels):
            rows = [doc["answer"] == said for doc in docs if doc["split"] == level]
            share = sum(rows) / len(rows)
            assert scored[f"acc_{level},none"] == pytest.approx(share), f"{name}: {level} {scored}"
        of = f", at levels {', '.join(sorted(levels))}" if levels else ""
        print(f"{name}: {len(docs)} rows, always {said!r} is right in {scored['acc,none']:.0%}{of}")


main(sys.argv[1])
