"""The benchmarks by name: what each needs on disk, who hands it out, and the reader for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ... import specs
from ...registry import Registry
from .folders import read_adience, read_folder, read_synfiqa
from .ijbc import read_ijbc
from .insightface import read_bin
from .pairs import read_cfp, read_pairs
from .types import Dataset

_BIN = "{}.bin from InsightFace's evaluation sets"
_INSIGHTFACE = (
    "InsightFace dataset zoo: github.com/deepinsight/insightface/tree/master/recognition/_datasets_"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetInfo:
    """One benchmark.

    Attributes:
        name: as given on the command line.
        title: one line on what it tests.
        needs: the layouts that are read, any one of them.
        source: where its owners hand it out. Nothing is downloaded: each has its own terms.
        comparisons: mated / non-mated, or "all against all".
        read: path → Dataset.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    source: str
    comparisons: str
    read: Callable[[Path], Dataset]


def _bin_or(folder_reader: Callable[[Path, str], Dataset], name: str) -> Callable[[Path], Dataset]:
    def read(path: Path) -> Dataset:
        return read_bin(path, name) if path.suffix == ".bin" else folder_reader(path, name)

    return read


def _pair_folder(path: Path, name: str) -> Dataset:
    return read_pairs(path, name=name)


_ALL = "all against all"
DATASETS: Registry[DatasetInfo] = Registry("data set", "fiqa.datasets", DatasetInfo)

DATASETS.register(
    DatasetInfo(
        name="lfw",
        title="Labeled Faces in the Wild: unconstrained web photos",
        needs=(_BIN.format("lfw"), "folder NAME/NAME_0001.jpg with pairs.txt"),
        source="vis-www.cs.umass.edu/lfw; " + _INSIGHTFACE,
        comparisons="3,000 / 3,000",
        read=_bin_or(_pair_folder, "lfw"),
    )
)
DATASETS.register(
    DatasetInfo(
        name="agedb-30",
        title="AgeDB: mated pairs 30 years apart",
        needs=(_BIN.format("agedb_30"), "folder NAME/NAME_0001.jpg with pairs.txt"),
        source="ibug.doc.ic.ac.uk/resources/agedb; " + _INSIGHTFACE,
        comparisons="3,000 / 3,000",
        read=_bin_or(_pair_folder, "agedb-30"),
    )
)
DATASETS.register(
    DatasetInfo(
        name="cfp-fp",
        title="Celebrities in Frontal-Profile: frontal against profile",
        needs=(
            _BIN.format("cfp_fp"),
            "folder with Protocol/ (Pair_list_F.txt, Pair_list_P.txt, Split/FP) and Data/",
        ),
        source="www.cfpw.io; " + _INSIGHTFACE,
        comparisons="3,500 / 3,500",
        read=_bin_or(lambda path, name: read_cfp(path, "FP", name), "cfp-fp"),
    )
)
DATASETS.register(
    DatasetInfo(
        name="cfp-ff",
        title="Celebrities in Frontal-Profile: frontal against frontal",
        needs=(_BIN.format("cfp_ff"), "folder with Protocol/ (Pair_list_F.txt, Split/FF) and Data/"),
        source="www.cfpw.io; " + _INSIGHTFACE,
        comparisons="3,500 / 3,500",
        read=_bin_or(lambda path, name: read_cfp(path, "FF", name), "cfp-ff"),
    )
)
DATASETS.register(
    DatasetInfo(
        name="calfw",
        title="Cross-Age LFW: mated pairs far apart in age",
        needs=(_BIN.format("calfw"), "folder of 'aligned images' with pairs_CALFW.txt"),
        source="whdeng.cn/CALFW; " + _INSIGHTFACE,
        comparisons="3,000 / 3,000",
        read=_bin_or(_pair_folder, "calfw"),
    )
)
DATASETS.register(
    DatasetInfo(
        name="cplfw",
        title="Cross-Pose LFW: mated pairs far apart in pose",
        needs=(_BIN.format("cplfw"), "folder of 'aligned images' with pairs_CPLFW.txt"),
        source="whdeng.cn/CPLFW; " + _INSIGHTFACE,
        comparisons="3,000 / 3,000",
        read=_bin_or(_pair_folder, "cplfw"),
    )
)
DATASETS.register(
    DatasetInfo(
        name="xqlfw",
        title="Cross-Quality LFW: one image of each pair degraded",
        needs=("folder NAME/NAME_0001.jpg with xqlfw_pairs.txt", "xqlfw.bin"),
        source="martlgap.github.io/xqlfw",
        comparisons="3,000 / 3,000",
        read=_bin_or(_pair_folder, "xqlfw"),
    )
)
DATASETS.register(
    DatasetInfo(
        name="adience",
        title="Adience: phone photos from Flickr, with gender and age groups",
        needs=("folder with fold_0_data.txt … fold_4_data.txt and aligned/ or faces/",),
        source="talhassner.github.io/home/projects/Adience/Adience-data.html",
        comparisons=_ALL + " (19,370 images)",
        read=read_adience,
    )
)
DATASETS.register(
    DatasetInfo(
        name="ijb-c",
        title="IARPA Janus Benchmark C: templates of stills and video frames",
        needs=(
            "folder with loose_crop/ and meta/ijbc_{name_5pts_score,face_tid_mid,template_pair_label}.txt",
        ),
        source="www.nist.gov/programs-projects/face-challenges; crops and lists: InsightFace IJB evaluation",
        comparisons="19,557 / 15,638,932",
        read=read_ijbc,
    )
)
DATASETS.register(
    DatasetInfo(
        name="synfiqa",
        title="SynFIQA: synthetic faces in known quality groups, with quality labels",
        needs=("folder with data/<id>/{k,Ref-k}.jpg and Quality-Scores.txt",),
        source="github.com/oufuzhao/MR-FIQA",
        comparisons=_ALL,
        read=read_synfiqa,
    )
)
DATASETS.register(
    DatasetInfo(
        name="folder",
        title="your own images",
        needs=("folder with one sub-folder of images a subject",),
        source="-",
        comparisons=_ALL,
        read=read_folder,
    )
)
DATASETS.register(
    DatasetInfo(
        name="pairs",
        title="your own images and pairs",
        needs=(_BIN.format("any"), "folder with pairs.txt in LFW's format, or 'file flag' twice a pair"),
        source="-",
        comparisons="as listed",
        read=lambda path: read_bin(path) if path.suffix == ".bin" else read_pairs(path),
    )
)


def read_dataset(name: str, path: str | Path) -> Dataset:
    """Read the benchmark ``name`` (a key of ``DATASETS``) from ``path``, in any layout that it comes in.

    Raises UnknownName for another name, and DataError when a file is missing or damaged.
    """
    return DATASETS.find(name).read(Path(path))


def open_dataset(spec: str) -> Dataset:
    """Read a data set from ``KIND=PATH`` or ``KIND:NAME=PATH``; the name is what reports call it.

    Raises:
        UsageError: a text of another form, or an unknown kind.
        DataError: a file is missing or damaged.
    """
    kind, name, path = specs.split_place(spec)
    found = read_dataset(kind, path)
    return replace(found, name=name) if name else found
