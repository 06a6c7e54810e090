"""Boxes that follow the pixels, and a clip in which noise changes and the lens does not."""

import torch

from degrade import ops, pipeline
from degrade.geometry import apply_to_boxes
from degrade.video import degrade_clip

picture = torch.full((1, 3, 120, 160), 0.2)
picture[:, :, 40:60, 50:90] = 0.9  # a bright card
box = torch.tensor([[50.0, 40.0, 90.0, 60.0]])

record = ops.get("geometric_edit").sample(0.8, "a", 120, given={"kind": "rotate"})
turned = pipeline.run(picture, [[record]])
(found,) = apply_to_boxes(box, [record], 120, 160)
rows, columns = torch.nonzero(turned[0, 0] > 0.7, as_tuple=True)
print("box:", [round(float(v)) for v in found])
print("card:", [int(v) for v in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)])
assert abs(float(found[0]) - float(columns.min())) <= 3

clip = picture.expand(4, -1, -1, -1)
noisy, _ = degrade_clip(clip, "gaussian_noise", intensity=0.6)
dirty, _ = degrade_clip(clip, "dirty_lens", intensity=0.6)
assert not torch.equal(noisy[0], noisy[1])
assert torch.equal(dirty[0], dirty[3])
