"""Metrics of robustness, from columns of judged answers to figures with intervals.

    from trainer.metrics import Bootstrap, drop

    found = drop(clean=[1, 1, 1, 0], damaged=[1, 0, 0, 1])
    found.value, found.n                                            # 0.25, 4
    Bootstrap(seed=0).estimate(found, group=["a", "a", "b", "c"])   # Estimate(value, low, high ...)

Every metric is a function of columns and gives a :class:`Figure`; it is undefined (``value`` None)
where its docstring says so, and never NaN. Wrong columns raise ``ValueError`` by name. No result
depends on the order of the rows. :func:`scores` makes all of them that one model's answers have; a
reference model takes :func:`corruption_error` and :func:`comparison`. No torch, no files.
"""

from trainer.metrics import rbench
from trainer.metrics.columns import Wide, wide
from trainer.metrics.corruption import (
    Corruption,
    corruption_error,
    mean_error,
    relative_corruption_error,
)
from trainer.metrics.cost import (
    accuracy_per_1k_tokens,
    mean_tokens,
    shares,
    spearman,
    tokens_quantile,
    truncation,
    validity,
)
from trainer.metrics.figure import Figure
from trainer.metrics.intervals import Bootstrap, Estimate, McNemar, mcnemar, paired_bootstrap
from trainer.metrics.levels import (
    accuracy,
    accuracy_by,
    chance,
    chance_corrected_retention,
    consistency,
    corrective,
    destructive,
    drop,
    macro_accuracy,
    retention,
    robustness_auc,
)
from trainer.metrics.perception import (
    Match,
    by_type,
    count_error,
    exact_match,
    false_alarms,
    intensity_bias,
    intensity_mae,
    macro_f1,
    match,
    mean_agreement,
    micro_f1,
    perceived,
    robust_r1_reward,
    set_f1,
    set_precision,
    set_recall,
    total_intensity_error,
)
from trainer.metrics.table import comparison, scores

__all__ = [
    "Bootstrap",
    "Corruption",
    "Estimate",
    "Figure",
    "Match",
    "McNemar",
    "Wide",
    "accuracy",
    "accuracy_by",
    "accuracy_per_1k_tokens",
    "by_type",
    "chance",
    "chance_corrected_retention",
    "comparison",
    "consistency",
    "corrective",
    "corruption_error",
    "count_error",
    "destructive",
    "drop",
    "exact_match",
    "false_alarms",
    "intensity_bias",
    "intensity_mae",
    "macro_accuracy",
    "macro_f1",
    "match",
    "mcnemar",
    "mean_agreement",
    "mean_error",
    "mean_tokens",
    "micro_f1",
    "paired_bootstrap",
    "perceived",
    "rbench",
    "relative_corruption_error",
    "retention",
    "robust_r1_reward",
    "robustness_auc",
    "scores",
    "set_f1",
    "set_precision",
    "set_recall",
    "shares",
    "spearman",
    "tokens_quantile",
    "total_intensity_error",
    "truncation",
    "validity",
    "wide",
]
