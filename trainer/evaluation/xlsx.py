"""The one gateway to openpyxl: the cells of a workbook's first sheet, as text."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from degrade.errors import UserError


def table(path: Path) -> list[list[str]]:
    """The rows of the first sheet; numbers as VLMEvalKit's texts were before pandas took them.

    Raises:
        UserError: It does not open, or openpyxl is not installed.
    """
    try:
        from openpyxl import load_workbook
        from openpyxl.utils.exceptions import InvalidFileException
    except ModuleNotFoundError:
        raise UserError(
            "Reading .xlsx needs openpyxl: pip install 'degrade[evaluate]'. Or have VLMEvalKit "
            "write another format: PRED_FORMAT=tsv."
        ) from None
    try:
        book = load_workbook(path, read_only=True, data_only=True)
        try:
            sheet = book.worksheets[0]
            return [[_text(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
        finally:
            book.close()
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, InvalidFileException) as error:
        raise UserError(f"Cannot read {path}: {error}") from None


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
