"""Writes the tables of docs/storage.md from the models: python tests/tools/make_storage_docs.py."""

import ast
import re
from pathlib import Path

from lenetcli.store import models

PAGE = Path(__file__).parents[2] / "docs" / "storage.md"
BEGIN, END = "<!-- tables: made by tests/tools/make_storage_docs.py -->\n", "<!-- end of tables -->\n"


def describe_columns(source: str) -> dict[tuple[str, str], str]:
    """The string below each column's definition, by class and name."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            for statement, after in zip(node.body, [*node.body[1:], None], strict=True):
                if isinstance(statement, ast.AnnAssign) and isinstance(after, ast.Expr):
                    found[node.name, statement.target.id] = " ".join(after.value.value.split()).replace(
                        "``", "`"
                    )
    return found


def describe_tables() -> str:
    texts = describe_columns(Path(models.__file__).read_text("utf-8"))
    parts = []
    kinds = {mapper.local_table: mapper.class_ for mapper in models.Base.registry.mappers}
    for table in models.Base.metadata.sorted_tables:
        kind = kinds[table]
        parts.append(f"### {table.name}\n\n{' '.join(kind.__doc__.split()).replace('``', '`')}\n")
        parts.append("| column | type | |\n| --- | --- | --- |")
        for column in table.columns:
            notes = ["primary key"] * column.primary_key
            notes += [f"→ `{key.target_fullname}`" for key in column.foreign_keys]
            notes += ["unique"] * bool(column.unique) + ["may be NULL"] * bool(column.nullable)
            text = texts.get((kind.__name__, column.name))
            said = "; ".join(filter(None, [", ".join(notes), text]))
            parts.append(f"| `{column.name}` | {str(column.type).lower()} | {said} |")
        parts.append("")
    return "\n".join(parts)


def fill(page: str) -> str:
    made = f"{BEGIN}\n## Tables\n\n{describe_tables()}\n{END}"
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: made, page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text("utf-8")), "utf-8")
