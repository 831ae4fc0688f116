"""Reports that say something else than their facts, and other PDFs that were tampered with."""

import json
from io import BytesIO

from pypdf import PdfReader, PdfWriter
from pypdf.generic import DecodedStreamObject, NameObject

from lenetcli.output.report.report import Report


class Pdf:
    """A PDF in memory."""

    def __init__(self, content):
        self.content = content

    def write(self, path):
        path.write_bytes(self.content)


def attach(report, facts):
    """A report, or the bytes of one, with other facts attached than it was made of."""
    content = report.pdf() if isinstance(report, Report) else report
    writer = PdfWriter(clone_from=PdfReader(BytesIO(content)))
    del writer.root_object[NameObject("/Names")]
    attached = json.dumps(facts).encode() if isinstance(facts, dict) else facts.to_json()
    writer.add_attachment("facts.json", attached)
    stream = BytesIO()
    writer.write(stream)
    return Pdf(stream.getvalue())


def detach(content):
    """The bytes of a report without its facts."""
    writer = PdfWriter(clone_from=PdfReader(BytesIO(content)))
    del writer.root_object[NameObject("/Names")]
    stream = BytesIO()
    writer.write(stream)
    return stream.getvalue()


def forge_text(facts, old, new, fonts=()):
    """The report of facts, with other words on its pages and the true facts attached."""
    text = facts.to_json().decode()
    assert old in text
    return attach(_Raw(facts, text.replace(old, new).encode(), fonts), facts)


class _Raw(Report):
    """A report of facts that are given as JSON."""

    def __init__(self, facts, content, fonts):
        super().__init__(facts, fonts)
        object.__setattr__(self, "content", content)

    def files(self):
        return super().files() | {"facts.json": self.content}


def draw_over(page):
    """Draw a white box and a line over a page, as its last content."""
    stream = DecodedStreamObject()
    stream.set_data(page.get_contents().get_data() + b"\n1 1 1 rg 100 300 200 40 re f\n")
    page[NameObject("/Contents")] = page.indirect_reference.pdf._add_object(stream)
