"""``trionet-bench data``: what it prints, its JSON, its exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from support.studies import small_suite

from trionet_bench.cli.main import main
from trionet_bench.data import content
from trionet_bench.data.sources.catalogue import named_sets


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["data", *arguments])


@pytest.fixture
def birds(tmp_path: Path) -> Path:
    """Two classes of different images, none of them in both parts."""
    generator = np.random.default_rng(0)
    for part in ("train", "val"):
        for name in ("crow", "wren"):
            (tmp_path / "birds" / part / name).mkdir(parents=True)
            for number in range(3):
                pixels = generator.integers(0, 256, (9, 12, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "birds" / part / name / f"{number}.png")
    return tmp_path


def test_list_says_which_sets_are_here(tmp_path: Path):
    (tmp_path / "eurosat" / "2750").mkdir(parents=True)
    lines = run("list", "--data-root", str(tmp_path)).stdout.splitlines()
    shown = {line.split()[0]: line.split()[1] for line in lines}
    assert (shown["EuroSAT"], shown["CIFAR10"], shown["digits"]) == ("here", "fetch", "here")
    document = json.loads(run("list", "--data-root", str(tmp_path), "--json").stdout)
    generated = {"texture", "match", "gratings", "cued", "noise"}
    assert {row["name"] for row in document["sets"] if row["present"]} == {"EuroSAT", "digits", *generated}
    assert all(row["licence"] and row["citation"] for row in document["sets"])


def test_list_tells_whole_partial_and_wrong_folders_apart(tmp_path: Path):
    def standing(name: str) -> tuple[str, str]:
        document = json.loads(run("list", name, "--data-root", str(tmp_path), "--json").stdout)
        return document["sets"][0]["state"], document["sets"][0]["detail"]

    assert standing("CUB_200_2011")[0] == "by hand"
    assert "Download CUB_200_2011.tgz" in standing("CUB_200_2011")[1]
    assert standing("SVHN") == ("fetch", "trionet-bench data fetch SVHN")
    cub = tmp_path / "cub_200_2011"  # as people write it
    cub.mkdir()
    assert standing("CUB_200_2011")[0] == "by hand"  # an empty folder is nothing
    (cub / "README").write_text("something else")
    lacking = "images, images.txt, image_class_labels.txt, classes.txt, train_test_split.txt"
    assert standing("CUB_200_2011") == ("wrong", f"{cub} has none of {lacking}")
    (cub / "images").mkdir()
    (cub / "images.txt").write_text("1 a.jpg")
    assert standing("CUB_200_2011") == ("partial", f"{cub} lacks {lacking.partition('images.txt, ')[2]}")
    for name in lacking.split(", ")[2:]:
        (cub / name).write_text("")
    assert standing("CUB_200_2011") == ("here", str(cub))  # by the names of its files
    (tmp_path / "train_32x32.mat").write_bytes(b"")
    assert standing("SVHN") == ("partial", f"{tmp_path} lacks test_32x32.mat")
    assert "It is here in part: " in run("list", "SVHN", "--data-root", str(tmp_path)).stdout
    long = run("list", "--long", "--data-root", str(tmp_path)).stdout
    assert long.count("Licence: ") == long.count("Cite: ") == len(named_sets())


def test_list_says_what_a_suite_needs(birds: Path):
    (birds / "mine.yaml").write_text(
        small_suite("mine").replace(
            "datasets:\n",
            """datasets:
  birds: {source: "folder:birds"}
  flowers: {source: "torchvision:Flowers102"}
  cars: {source: "torchvision:StanfordCars"}
  lost: {source: "folder:nowhere"}
""",
        )
    )
    arguments = ("list", "--suite", str(birds / "mine.yaml"), "--data-root", str(birds / "data"))
    rows = {row["name"]: row for row in json.loads(run(*arguments, "--json").stdout)["sets"]}
    states = {name: row["state"] for name, row in rows.items()}
    expected = {"birds": "here", "flowers": "fetch", "cars": "by hand", "lost": "missing", "digits": "here"}
    assert states == expected
    assert rows["birds"]["detail"] == "6 train + 6 val"
    assert "nothing can fetch it for you" in rows["cars"]["detail"]
    assert rows["flowers"]["citation"].startswith("Nilsback")
    shown = run(*arguments).stdout
    assert "Licence: not known to this program" in shown  # of birds, whose images are the reader's own
    assert "nowhere" in shown
    (birds / "birds/LICENSE").write_text("Free for all.")
    assert f"Licence: see {birds}/birds/LICENSE" in run(*arguments).stdout


def test_list_names_the_kinds_of_sources(tmp_path: Path):
    shown = run("list", "--data-root", str(tmp_path)).stdout
    document = json.loads(run("list", "--data-root", str(tmp_path), "--json").stdout)
    assert {"folder:PATH", "hf:PATH or hf:NAME@REVISION"} <= {source["usage"] for source in document["sources"]}
    assert all(source["usage"] in shown and source["summary"] in shown for source in document["sources"])


def test_list_of_one_shows_its_layout_licence_and_where_it_comes_from():
    shown = run("list", "stanford_cars").stdout
    for words in ("cars_test_annos_withlabels.mat", "Licence:", "Cite: Krause", "cars_train.tgz"):
        assert words in shown


def test_check_of_whole_images(birds: Path):
    done = run("check", "folder:birds", "--data-root", str(birds))
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == "All 12 images are whole."
    assert "2 classes, 6 train + 6 val, colour, 9 pixels" in done.stdout


def test_check_lists_broken_images_and_ends_with_code_4(birds: Path):
    (birds / "birds/train/crow/1.png").write_bytes(b"no image")
    done = run("check", "folder:birds", "--data-root", str(birds))
    assert done.exit_code == 4
    assert "broken: train/crow/1.png: it is no image of a format that is decoded here" in done.stdout
    document = json.loads(run("check", "folder:birds", "--data-root", str(birds), "--json").stdout)
    assert [entry["image"] for entry in document["broken"]] == ["train/crow/1.png"]
    assert document["counts"] == {"train": 6, "val": 6}


def test_check_says_how_a_set_is_known(birds: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TRIONET_BENCH_CACHE", str(birds / "cache"))
    monkeypatch.setattr(content, "SAMPLED_ABOVE", 0)  # as if it were large
    monkeypatch.setattr(content, "SAMPLE_FILES", 3)

    def check(*options: str) -> tuple[str, dict[str, object]]:
        arguments = ("check", "folder:birds", "--data-root", str(birds), *options)
        return run(*arguments).stdout, json.loads(run(*arguments, "--json").stdout)

    shown, document = check()
    assert "Known by names, sizes and a sample of its files; --full reads all of them" in shown
    assert document["identity"] == "sample"
    for options in (("--full",), ()):  # from then on also without it
        shown, document = check(*options)
        assert f"Known by its content: {str(document['fingerprint'])[:16]}." in shown
        assert (document["identity"], document["decoders"]) == ("content", [])


def test_check_names_an_image_of_too_many_pixels_and_its_size(birds: Path):
    scan = birds / "birds/train/crow/1.png"
    scan.write_bytes(b"P5\n20000 10000\n255\n")  # the header alone, of a PGM file
    done = run("check", "folder:birds", "--data-root", str(birds))
    assert done.exit_code == 4
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("broken")]
    assert line.startswith(
        "broken: train/crow/1.png: it has 20000 x 10000 pixels, more than 120 million; save it smaller"
    )


def test_check_names_what_is_no_file(birds: Path):
    os.mkfifo(birds / "birds/train/crow/pipe.png")
    done = run("check", "folder:birds", "--data-root", str(birds))
    assert done.exit_code == 4
    assert "broken: train/crow/pipe.png: it is no regular file" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("check", "flowers102"), 4, "trionet-bench data fetch Flowers102"),
        (
            ("check", "cifar"),
            2,
            'cifar is no file or folder here, and there is no named set "cifar"; did you mean "CIFAR10"?',
        ),
        (("list", "imagnet"), 2, 'did you mean "ImageNet"?'),
        (("fetch", "StanfordCars"), 4, "nothing can fetch it for you"),
        (("list", "birds"), 2, 'there is no named set "birds"'),
    ],
)
def test_errors_say_what_to_do(arguments: tuple[str, ...], code: int, words: str, tmp_path: Path):
    done = run(*arguments, "--data-root", str(tmp_path))
    assert (done.exit_code, done.stdout) == (code, "")
    assert words in done.stderr


def test_fetch_of_what_is_bundled(tmp_path: Path):
    done = run("fetch", "digits", "--data-root", str(tmp_path))
    assert done.stdout == "sklearn:digits is here: 1437 train + 360 test.\n"


def test_listing_and_checking_load_no_torch():
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from trionet_bench.cli.main import main\n"
        "for words in (['data', '--help'], ['data', 'list'], ['data', 'check', 'digits']):\n"
        "    assert CliRunner().invoke(main, words).exit_code == 0\n"
        "print('torch' in sys.modules)\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"
