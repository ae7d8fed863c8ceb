"""A made-up suite of records in the real results layout, with believable numbers. For tests of reports only."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from support.tasks import CLASSIFICATION

from trionet_bench.records.record import SCHEMA, Record
from trionet_bench.records.task_info import Metric, TaskInfo

OPERATORS = ("conv", "local", "axial")
SKILL = {"conv": 0.90, "local": 0.86, "axial": 0.875, "trionet": 0.915, "random": 0.895}
EASE = {"digits": 0.06, "flowers": -0.12, "textures": -0.25}
DEPTHS = (2, 2, 3, 2)
CLASSES = ["ant", "bee", "crab & <prawn>", "deer", "eel", "fox", "gull", "hare", "ibis", "jay"]


def fabricate(
    results: Path,
    name: str = "made-up",
    datasets: tuple[str, ...] = ("digits", "flowers", "textures"),
    models: tuple[str, ...] = ("conv", "local", "axial", "trionet", "random"),
    seeds: tuple[int, ...] = (0, 1, 2),
    budgets: tuple[int, ...] = (4_000_000, 8_000_000),
    failed: tuple[tuple[str, str, int, int], ...] = (),
    missing: tuple[tuple[str, str, int, int], ...] = (),
    images: int = 400,
    epochs: int = 20,
    side_files: bool = True,
    evaluated: int = 40,
    options: dict[str, dict[str, Any]] | None = None,
    recipe: dict[str, Any] | None = None,
    train: dict[str, int] | None = None,
    margin: float | None = 1.0,
    fidelity: str = "full",
    task: TaskInfo = CLASSIFICATION,
) -> Path:
    """Write the suite ``name`` under ``results``; returns its folder. ``failed`` and ``missing`` name cells.

    The primary metric of another task than classification is made from an accuracy: see ``measured``.
    """
    folder = results / name
    for d, dataset in enumerate(datasets):
        for m, model in enumerate(models):
            for budget in budgets:
                for seed in seeds:
                    cell = (dataset, model, budget, seed)
                    if cell in missing:
                        continue
                    rng = np.random.default_rng((d, m, budget, seed))
                    place = folder / dataset / model / f"{budget // 1_000_000}M-s{seed}"
                    place.mkdir(parents=True)
                    record = _record(
                        rng,
                        name,
                        cell,
                        images,
                        epochs,
                        evaluated,
                        (options or {}).get(model, {}),
                        recipe or {},
                        (train or {}).get(dataset, 1000),
                        place if side_files else None,
                        cell in failed,
                        fidelity,
                        task,
                    )
                    (place / "record.json").write_text(record.model_dump_json(by_alias=True, exclude={"digest"}))
    expected = [
        {"dataset": d, "model": m, "budget": b, "seed": s}
        for d in datasets
        for m in models
        for b in budgets
        for s in seeds
    ]
    candidates = [model for model in models if model not in ("conv", "random")]
    comparisons = [
        {"metric": f"test_{task.primary.name}", "baseline": "conv", "candidates": candidates, "margin": margin}
    ]
    if {"trionet", "random"} <= set(models):
        comparisons.append(
            {"metric": f"test_{task.primary.name}", "baseline": "random", "candidates": ["trionet"], "margin": None}
        )
    declared = {"name": name, "title": "Operators on made-up data", "comparisons": comparisons, "expected": expected}
    (folder / "suite.json").write_text(json.dumps(declared))
    return folder


def measured(accuracy: float, metric: Metric) -> float:
    """An accuracy as a value of ``metric``: itself, or a loss of 0 to 3 where less is better."""
    return accuracy if metric.higher_is_better else 3 * (1 - accuracy)


def _record(
    rng: np.random.Generator,
    suite: str,
    cell: tuple[str, str, int, int],
    images: int,
    epochs: int,
    evaluated: int,
    options: dict[str, Any],
    recipe: dict[str, Any],
    train: int,
    place: Path | None,
    failed: bool,
    fidelity: str,
    task: TaskInfo,
) -> Record:
    dataset, model, budget, seed = cell
    searched = model not in OPERATORS
    options = dict(options) or (
        {"sampler": "hierarchical", "sharing": "multihead"} if searched else {"operator": model}
    )
    operators = options.pop("operators", list(OPERATORS))
    fixed: dict[str, Any] = {
        "schema": SCHEMA,
        "key": f"{suite}-{dataset}-{model}-{budget}-{seed}".encode().hex().ljust(64, "0")[:64],
        "suite": suite,
        "dataset": dataset,
        "model": model,
        "system": "trionet" if searched else "standalone",
        "budget": budget,
        "seed": seed,
        "fidelity": fidelity,
        "data": {
            "source": f"synthetic:{dataset}",
            "fingerprint": f"{dataset:0<64}"[:64],
            "classes": CLASSES,
            "channels": 3,
        },
        "recipe": {
            "name": "quick",
            "version": 1,
            "epochs": epochs,
            "batch": 64,
            "optimizer": {"name": "adamw", "lr": 0.001},
        }
        | recipe,
        "task": task,
        "options": options,
        "space": {"name": "resnet-nano", "operators": operators},
        "resolution": 32,
        "environment": {
            "python": "3.11.9",
            "torch": "2.15.0",
            "torchvision": "0.29.2",
            "numpy": "2.4.6",
            "platform": "Linux",
            "cpu": "x86_64",
            "cores": 2,
            "device": "cpu",
            "device_name": "",
        },
        "code": {"version": "0.1.0", "commit": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
        "command": f"trionet-bench run {suite}",
        "started": "2026-11-20T10:00:00+00:00",
        "finished": f"2026-11-20T11:{seed:02d}:{len(model):02d}+00:00",
    }
    if failed:
        error = {"type": "TrainingError", "message": "loss is not finite at epoch 3 <b>&", "traceback": "..."}
        return Record(**fixed, status="failed", error=error)
    placement = _placement(rng, model, searched, budget)
    macs = sum(block["macs"] for block in placement) + 200_000
    skill = SKILL.get(model, 0.88) + 0.1 * 0 + EASE.get(dataset, -0.1) + 0.02 * np.log2(budget / 4_000_000)
    skill *= 1 - 40 / train
    labels = np.arange(images) % len(CLASSES)
    difficulty = np.random.default_rng(len(dataset)).random(images)
    correct = 0.7 * difficulty + 0.3 * rng.random(images) < np.clip(skill, 0.1, 0.99) + rng.normal(0, 0.006)
    predictions = np.where(correct, labels, (labels + 1 + rng.integers(0, 3, images)) % len(CLASSES))
    top1, top5 = float(correct.mean()), float((correct | (rng.random(images) < 0.8)).mean())
    values = {"test": top1, "val": top1 - 0.004}
    search = None
    if searched:
        inherited = float(np.clip(top1 - 0.08 + rng.normal(0, 0.02), 0, 1))
        values |= {"inherited_val": inherited + 0.01, "inherited_test": inherited, "finetuned_test": top1 + 0.004}
        search = _search(rng, model, placement, inherited, macs, evaluated, options, task.primary)
    metrics = {f"{part}_{task.primary.name}": measured(value, task.primary) for part, value in values.items()}
    if task == CLASSIFICATION:
        metrics["test_top5"] = top5
    if place is not None:
        _side_files(rng, place, labels, predictions, correct, top1, epochs, task)
    return Record(
        **fixed,
        status="complete",
        architecture={"stages": [{"blocks": placement}]} if not searched else {"placement": placement},
        macs=macs,
        params=int(macs / 30),
        placement=placement,
        metrics=metrics,
        search=search,
        macs_by_operator={
            **{o: sum(b["macs"] for b in placement if b["operator"] == o) for o in OPERATORS},
            "stem": 150_000,
            "head": 50_000,
        },
        macs_by_stage={str(s): sum(b["macs"] for b in placement if b["stage"] == s) for s in range(len(DEPTHS))},
        counts={"train": train, "search_val": 100, "val": 100, "test": images, "evaluated": images},
        timings={
            "retrain_s": 60 + 5 * rng.random(),
            "evaluate_s": 1.5,
            "latency_s": 3e-4 * (1 + len(model)) * (1 + 0.05 * seed),
        }
        | ({"supernet_s": 200.0, "search_s": 40 + rng.random()} if searched else {}),
        peak_memory_bytes=int(1.5e9 + 1e8 * rng.random()),
    )


def _placement(rng: np.random.Generator, model: str, searched: bool, budget: int) -> list[dict[str, Any]]:
    blocks = []
    for stage, depth in enumerate(DEPTHS):
        likely = np.array([3 - 0.8 * stage, 0.8, 0.3 + 0.9 * stage]) if model == "trionet" else np.ones(3)
        for block in range(depth - (rng.random() < 0.3 if searched and depth > 2 else 0)):
            operator = str(rng.choice(OPERATORS, p=likely / likely.sum())) if searched else model
            expansion = float(rng.choice([0.125, 0.25, 0.5])) if searched else 0.25
            width = 32 * 2**stage
            blocks.append(
                {
                    "stage": stage,
                    "block": block,
                    "operator": operator,
                    "macs": int(budget / 10 * (0.5 + expansion)),
                    "resolution": 32 // 2**stage,
                    "width": width,
                    "mid_width": int(width * expansion),
                    "expansion": expansion,
                    "kernel": 3 if operator == "conv" else None,
                    "window": int(rng.choice([3, 5, 7])) if operator == "local" else None,
                    "heads": None if operator == "conv" else int(rng.choice([4, 8])),
                    "qk": None if operator == "conv" else 0.5,
                    "v": None if operator == "conv" else 1.0,
                }
            )
    return blocks


def _search(
    rng: np.random.Generator,
    model: str,
    placement: list[dict[str, Any]],
    top: float,
    macs: int,
    evaluated: int,
    options: dict[str, Any],
    metric: Metric,
) -> dict[str, Any]:
    def fitness(accuracy: float) -> float:
        return measured(accuracy, metric) * (1 if metric.higher_is_better else -1)

    steps = np.linspace(10, evaluated, 4).astype(int)
    rise = 0.03 if model == "trionet" else 0.015
    best = [
        {
            "generation": g,
            "evaluations": int(e),
            "best_fitness": fitness(float(top - rise * (3 - g) / 3 + 0.002 * rng.random() * (g < 3))),
            "best_macs": macs,
        }
        for g, e in enumerate(steps)
    ]
    prior = [
        {"stage": s, "block": b, "operator": o, "share": 1 / 3}
        for s, depth in enumerate(DEPTHS)
        for b in range(depth)
        for o in OPERATORS
    ]
    probes = [
        {"epoch": e, "probe": name, "fitness": fitness(float(level * (1 - np.exp(-e / 6)) + 0.01 * rng.random()))}
        for name, level in {
            "smallest": 0.6,
            "largest": 0.85,
            "conv": 0.82,
            "local": 0.75,
            "axial": 0.8,
            "random": 0.78,
        }.items()
        for e in range(0, 25, 4)
    ]
    scored = [
        {
            "macs": int(macs * rng.uniform(0.6, 1)),
            "fitness": fitness(float(top - 0.1 * rng.random())),
            "operators": "ccllaa",
        }
        for _ in range(evaluated)
    ]
    return {
        "algorithm": "random" if model == "random" else "evolution",
        "sampler": options.get("sampler", "hierarchical"),
        "sharing": options.get("sharing", "multihead"),
        "evaluations": evaluated,
        "acceptance_rate": 0.4,
        "calibration_images": 256,
        "best_by_generation": best,
        "evaluated": scored,
        "operator_prior": prior,
        "operator_draws": {"conv": 400, "local": 410, "axial": 390},
        "probes": probes,
    }


def _side_files(
    rng: np.random.Generator,
    place: Path,
    labels: np.ndarray,
    predictions: np.ndarray,
    correct: np.ndarray,
    top1: float,
    epochs: int,
    task: TaskInfo,
) -> None:
    columns = {
        "labels": labels.astype(np.int16),
        "predictions": predictions.astype(np.int16),
        "top5_correct": correct,
        "confidence": np.where(correct, 0.9, 0.5).astype(np.float16),
    }
    if task != CLASSIFICATION:
        columns = {task.primary.name: np.where(correct, 0.1, 2.0)}
    np.savez_compressed(place / "predictions.npz", **columns)
    metric = task.primary
    lines = []
    for epoch in range(epochs):
        rise = 1 - np.exp(-4 * (epoch + 1) / epochs)
        lines.append(
            json.dumps(
                {
                    "phase": "retrain",
                    "epoch": epoch,
                    "step": (epoch + 1) * 15,
                    "lr": 0.001,
                    "train_loss": float(2.3 * (1 - 0.9 * rise)),
                    f"train_{metric.name}": measured(float(rise * top1 + 0.01), metric),
                    f"val_{metric.name}": measured(float(rise * top1 + 0.01 * rng.normal()), metric),
                    "seconds": 3.0,
                    "images_per_s": 800 + 50 * rng.random(),
                }
            )
        )
    (place / "history.jsonl").write_text("\n".join(lines) + "\n")


RANKED = 30


def ranked_accuracies(model: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the spread architectures of ``fabricate_ranked``: alone, inherited and inherited without recalibration."""
    generator = np.random.default_rng(len(model))
    alone = generator.uniform(0.6, 0.95, RANKED)
    return alone, alone - generator.uniform(0, 0.3, RANKED), generator.uniform(0.1, 0.5, RANKED)


def fabricate_ranked(results: Path) -> Path:
    """Two supernets, one seed; records of searched models turned into correlations."""
    folder = fabricate(
        results, datasets=("digits",), models=("trionet", "uniform"), seeds=(0,), budgets=(4_000_000,), side_files=False
    )
    for path in folder.rglob("record.json"):
        value = json.loads(path.read_text())
        for name in ("architecture", "macs", "params", "search"):
            value[name] = None
        value |= {"system": "correlation", "metrics": {}, "placement": [], "macs_by_operator": {}, "macs_by_stage": {}}
        value["ranked"] = [
            {
                "architecture": {"number": n}, "macs": 10**6 + n, "params": 10**4 - n,
                "operators": ("cla", "cca", "laa")[n % 3], "val": a, "val_sd": 0.01 + 0.001 * (n % 5), "runs": 4,
                "inherited_val": b, "inherited_val_not_recalibrated": c,
            }
            for n, (a, b, c) in enumerate(zip(*ranked_accuracies(value["model"]), strict=True))
        ]  # fmt: skip
        path.write_text(Record.model_validate(value).model_dump_json(by_alias=True, exclude={"digest"}))
    suite = json.loads((folder / "suite.json").read_text())
    (folder / "suite.json").write_text(json.dumps(suite | {"comparisons": []}))
    return folder
