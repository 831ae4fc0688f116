import pytest
from helpers.fonts import make_font

from lenetcli.output.figures import fonts


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine without fonts but those of matplotlib and Typst; it is called to install one."""
    files = []
    monkeypatch.setattr(fonts, "list_files", lambda: list(files))

    def install(letters, file, **options):
        files.append(make_font(tmp_path / file, letters, **options))
        return files[-1]

    install.files = files
    return install
