"""Extension of Griffe: classes of data show their fields as they are declared."""

from __future__ import annotations

from typing import Any

import griffe


class Fields(griffe.Extension):
    """Adds the declared fields of models and named tuples to what their docstring says."""

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        """Called when the members of a class are known."""
        signed = any(str(d.value).startswith("dataclass") for d in cls.decorators)
        if signed or "__init__" in cls.members or not cls.bases or not cls.docstring:
            return  # the signature has them, or there are none
        lines = [_declared(member) for name, member in cls.members.items() if _field(name, member)]
        if lines:
            cls.docstring.value += "\n\n```python\n" + "\n".join(lines) + "\n```\n"


def _field(name: str, member: griffe.Object | griffe.Alias) -> bool:
    # What is annotated with ClassVar is no instance attribute to Griffe.
    declared = isinstance(member, griffe.Attribute) and member.annotation is not None
    return declared and "instance-attribute" in member.labels and not name.startswith("_")


def _declared(member: Any) -> str:
    default = f" = {member.value}" if member.value is not None else ""
    return f"{member.name}: {member.annotation}{default}"
