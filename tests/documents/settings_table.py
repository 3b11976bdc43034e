"""The table of settings in README.md, made from engine/config.py.

python -m tests.documents.settings_table    writes it into README.md
"""

from __future__ import annotations

import ast
import inspect

import msgspec
from msgspec.inspect import (
    DataclassType,
    FloatType,
    IntType,
    LiteralType,
    NoneType,
    StructType,
    Type,
    UnionType,
    type_info,
)

from engine import config
from engine.config import Config, variable
from engine.rules.rate import Rate
from tests.documents.pages import ROOT

README = ROOT / "README.md"
BEGIN, END = "<!-- settings: made by tests/documents/settings_table.py -->\n", "<!-- end of settings -->\n"
HEAD = "| variable | values | default | |\n|---|---|---|---|\n"


def table() -> str:
    """Make the table, a line for each setting in the order of the source."""
    described = type_info(Config)
    assert isinstance(described, StructType)
    meanings = _meanings()
    lines = []
    for item in described.fields:
        default = "*required*" if item.default is msgspec.NODEFAULT else _shown(item.default)
        lines.append(
            f"| `{variable(item.name)}` | {_values(item.type)} | {default} | {meanings.get(item.name, '')} |\n"
        )
    return HEAD + "".join(lines)


def written_table(text: str) -> str:
    """The table as it stands in the text of README.md."""
    return text.partition(BEGIN)[2].partition(END)[0]


def _shown(default: object) -> str:
    return "" if default is None else f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def _values(kind: Type) -> str:
    match kind:
        case UnionType(types=types):
            return _values(next(one for one in types if not isinstance(one, NoneType)))
        case LiteralType(values=values):
            return ", ".join(f"`{value}`" for value in values)
        case IntType(ge=least, le=most) | FloatType(ge=least, le=most):
            return f"{least:,} to {most:,}"
        case DataclassType(cls=cls) if cls is Rate:
            return "calls/seconds, `off`"
    return "text"


def _meanings() -> dict[str, str]:
    """The docstrings under the fields: only the source has them."""
    body = ast.parse(inspect.getsource(config)).body
    struct = next(node for node in body if isinstance(node, ast.ClassDef) and node.name == Config.__name__)
    meanings: dict[str, str] = {}
    name = ""
    for node in struct.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif name and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            meanings[name] = " ".join(str(node.value.value).replace("``", "`").split())
            name = ""
    return meanings


def main() -> None:
    """Write the table into README.md."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    README.write_text(f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
