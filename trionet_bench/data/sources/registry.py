"""The data sources by scheme. One from outside the package is added by ``SOURCES.register(Source(...))``."""

from trionet_bench.data.sources.base import Source
from trionet_bench.registry import Registry

# A folder with markers of several is of the one that stands first.
SOURCES: Registry[Source] = Registry(
    "data source",
    (
        Source(
            "sklearn",
            "trionet_bench.data.sources.bundled:open_index",
            usage="sklearn:digits",
            summary="images that scikit-learn ships",
        ),
        Source(
            "torchvision",
            "trionet_bench.data.sources.vision:open_index",
            usage="torchvision:NAME",
            summary="the named sets, in the layout of torchvision",
            options=("train", "subset", "partition", "size"),
            fetcher="trionet_bench.data.sources.fetch:fetch_vision",
        ),
        Source(
            "hf",
            "trionet_bench.data.sources.hub:open_index",
            usage="hf:PATH or hf:NAME@REVISION",
            summary="Parquet files, or a set of the Hugging Face hub",
            options=("image", "label", "config", "train", "val", "test"),
            markers=("**/*.parquet", "**/*.arrow"),
            fetcher="trionet_bench.data.sources.fetch:fetch_snapshot",
        ),
        Source(
            "imagenet",
            "trionet_bench.data.sources.imagenet:open_index",
            usage="imagenet:PATH",
            summary="ILSVRC2012, or anything with its folders",
            options=("subset",),
            markers=("LOC_synset_mapping.txt",),
            fetcher="trionet_bench.data.sources.fetch:unpack_imagenet",
        ),
        Source(
            "csv",
            "trionet_bench.data.sources.table:open_index",
            usage="csv:PATH",
            summary="a table with the columns path, label and, optionally, split",
            options=("root",),
            suffixes=(".csv",),
        ),
        Source(
            "npz",
            "trionet_bench.data.sources.npz:open_index",
            usage="npz:PATH",
            summary="arrays named as in MedMNIST",
            suffixes=(".npz",),
        ),
        Source(
            "synthetic",
            "trionet_bench.data.sources.synthetic:open_index",
            usage="synthetic:NAME",
            summary="generated sets whose right operator is known",
            options=("n", "seed", "size"),
        ),
        Source(
            "folder",
            "trionet_bench.data.sources.folder:open_index",
            usage="folder:PATH",
            summary="a folder for each class, below train, val and test or without them",
            options=("layout", "train", "val", "test", "subset"),
        ),
    ),
)
