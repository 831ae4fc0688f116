"""Writes the tables of docs/storage.md from the store: python docs/tools/make_storage_docs.py."""

import re
from pathlib import Path

from lenetcli.store.tables import METADATA

PAGE = Path(__file__).parents[2] / "docs" / "storage.md"
BEGIN, END = "<!-- tables: made by docs/tools/make_storage_docs.py -->\n", "<!-- end of tables -->\n"


def describe_tables() -> str:
    parts = []
    for table in METADATA.sorted_tables:
        parts.append(f"### {table.name}\n\n{table.comment.replace('``', '`')}\n")
        parts.append("| column | type | |\n| --- | --- | --- |")
        for column in table.columns:
            notes = ["primary key"] * column.primary_key
            notes += [f"→ `{key.target_fullname}`" for key in column.foreign_keys]
            notes += ["unique"] * bool(column.unique) + ["may be NULL"] * bool(column.nullable)
            text = (column.comment or "").replace("``", "`")
            said = "; ".join(filter(None, [", ".join(notes), text]))
            parts.append(f"| `{column.name}` | {str(column.type).lower()} | {said} |")
        parts.append("")
    return "\n".join(parts)


def fill(page: str) -> str:
    made = f"{BEGIN}\n## Tables\n\n{describe_tables()}\n{END}"
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: made, page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text("utf-8")), "utf-8")
