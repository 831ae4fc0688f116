"""The published data sets: what identifies them, and where they are found and downloaded."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lenetcli.data.readers import NAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """A place on the network: the address of a folder with the four ``.gz`` files, or of an npz.

    ``sha256`` is that of the npz.
    """

    url: str
    sha256: str | None = None

    @property
    def files(self) -> dict[str, str]:
        """The addresses of the files by their names."""
        if self.sha256 is not None:
            return {self.url.rsplit("/", 1)[-1]: self.url}
        return {f"{name}.gz": f"{self.url}{name}.gz" for name in NAMES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A published data set.

    ``checksums`` are the SHA-256 of the decoded IDX files, ``md5`` and ``sha256`` the sums of the ``.gz``
    files as published, each by the name of the part, and empty where they are not known. ``elsewhere`` are
    places where other programs leave it, in which ``{keras}`` stands for the folder of Keras.
    """

    name: str
    title: str
    checksums: Mapping[str, str] = field(default_factory=dict)
    md5: Mapping[str, str] = field(default_factory=dict)
    sha256: Mapping[str, str] = field(default_factory=dict)
    mirrors: tuple[Mirror, ...]
    elsewhere: tuple[str, ...] = ()

    def is_it(self, checksums: Mapping[str, str], md5: Mapping[str, str | None]) -> bool:
        """Whether data with these checksums, in files with these MD5 sums, is this set."""
        return checksums == self.checksums or (bool(self.md5) and md5 == self.md5)

    def list_places(self, cache: Path) -> list[Path]:
        """The paths at which it may be on this machine; first those at which downloads are left."""
        keras = os.environ.get("KERAS_HOME") or "~/.keras"
        mirrors = (self.place(cache, mirror) for mirror in self.mirrors)
        others = (place.format(keras=keras) for place in self.elsewhere)
        expanded = (Path(os.path.expanduser(other)) for other in others)  # noqa: PTH111 -- never raises
        return list(dict.fromkeys((*mirrors, *expanded)))

    def place(self, cache: Path, mirror: Mirror) -> Path:
        """The path at which a download from a mirror is left: an npz, or a folder of IDX files."""
        return cache / f"{self.name}.npz" if mirror.sha256 is not None else cache / self.name


def _by_part(*sums: str) -> dict[str, str]:
    return dict(zip(NAMES, sums, strict=True))


MNIST: Final = Published(
    name="mnist",
    title="MNIST",
    checksums=_by_part(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    mirrors=(
        Mirror(
            url="https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
            sha256="731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
        ),
        Mirror(url="https://ossci-datasets.s3.amazonaws.com/mnist/"),
    ),
    elsewhere=("{keras}/datasets/mnist.npz", "data/MNIST/raw"),
)

# The sums of the ``.gz`` files are those that many public projects check (torchvision among them), those of
# the decoded files were computed from Debian's package dataset-fashion-mnist 0.0~git20200523.55506a9-1.
FASHION_MNIST: Final = Published(
    name="fashion-mnist",
    title="Fashion-MNIST",
    checksums=_by_part(
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    md5=_by_part(
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
    sha256=_by_part(
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
    mirrors=(
        Mirror(url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
        Mirror(url="https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"),
    ),
    elsewhere=(
        "{keras}/datasets/fashion-mnist",
        "data/FashionMNIST/raw",
        "/usr/share/datasets/fashion-mnist",
    ),
)

KMNIST: Final = Published(
    name="kmnist",
    title="KMNIST",
    md5=_by_part(
        "bdb82020997e1d708af4cf47b453dcf7",
        "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7",
        "7320c461ea6c1c855c0b718fb2a4b134",
    ),
    sha256=_by_part(
        "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
    ),
    mirrors=(Mirror(url="http://codh.rois.ac.jp/kmnist/dataset/kmnist/"),),
    elsewhere=("data/KMNIST/raw",),
)

PUBLISHED: Final = {one.name: one for one in (MNIST, FASHION_MNIST, KMNIST)}
"""The published data sets by the names that ``--dataset`` takes."""
