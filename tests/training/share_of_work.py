"""The tests of several processes, run as one program: groups of 1, 2 and 3 processes each share the same work.

They are forked, so that torch is imported once. Each leaves what it found as FOLDER/<processes>/<rank>.json.
"""

import contextlib
import json
import os
import socket
import sys
import traceback
from pathlib import Path

import torch
import torch._dynamo  # the first optimizer imports it, which takes seconds: once here, not in every process
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.classifying import evaluate, train_classifier

from trionet_bench.errors import TrainingError
from trionet_bench.training import distributed
from trionet_bench.training.loop import fit
from trionet_bench.training.recipe import resolve_recipe

CPU = torch.device("cpu")
RECIPE = resolve_recipe({"epochs": 2, "batch": 8, "optimizer": {"lr": 0.1}, "ema": 0.5, "supernet": {"epochs": 1}})


def own(tensor):
    """This rank's images of a joint batch; of 7 images, two ranks have 4 and 3."""
    return tensor[distributed.rank() :: distributed.world()]


class Network(nn.Module):
    """Two branches, of which a child uses one."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(distributed.rank())  # every rank starts apart
        self.norm = nn.BatchNorm1d(5, affine=False, momentum=1.0)
        self.branches = nn.ModuleList([nn.Linear(5, 3), nn.Linear(5, 3)])

    def forward(self, x, branch=0):
        self.norm(x)  # counts, and changes nothing
        return self.branches[branch](x)


class Shares:
    def __len__(self):
        return 2

    def epoch(self, epoch, first=0):
        generator = torch.Generator().manual_seed(epoch)
        for step in range(2):
            images = torch.randn(7, 5, generator=generator)
            if step >= first:
                yield own(images), own(images[:, :3].argmax(1))


class Digits:
    """361 images, each rank with every world-th of them."""

    images = range(361)

    def __iter__(self):
        generator = torch.Generator().manual_seed(0)
        pixels, labels = torch.randn(361, 5, generator=generator), torch.randint(3, (361,), generator=generator)
        for positions in own(torch.arange(361)).split(50):
            yield pixels[positions], labels[positions], positions


def gradient(network):
    """Of the mean loss over a joint batch of 7, in float64, through branch 0."""
    network = network.double()
    images, labels = next(Shares().epoch(0))
    nn.functional.cross_entropy(network(images.double()), labels).backward()
    distributed.average_gradients(network, share=len(images) / distributed.totals([len(images)], CPU)[0])
    unused = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    return network.branches[0].weight.grad.flatten().tolist(), unused


def message(action):
    try:
        action()
    except TrainingError as error:
        return str(error)
    return None


def disagree():
    network = Network()
    network(torch.ones(2, 5), branch=distributed.rank() % 2).sum().backward()
    distributed.average_gradients(network)


def lose_one_rank():
    """The last rank's loss is not finite in step 1."""
    network = Network()
    last = distributed.rank() == distributed.world() - 1

    def step(images, targets, number):
        network(images).sum().backward()
        return {"loss": float("nan") if last and number == 1 else 1.0}

    fit(network, Shares(), RECIPE, seed=0, device=CPU, step=step)


class Stop(Exception):
    pass


def interrupted(checkpoint):
    """Trains to the middle of the second epoch, its third step of four, of which it leaves a checkpoint."""

    def progress(done, total, text):
        if done == 4:
            raise Stop

    files = {"checkpoint": checkpoint, "checkpoint_seconds": 0.0}
    with contextlib.suppress(Stop):
        train_classifier(Network(), Shares(), RECIPE, seed=0, device=CPU, progress=progress, **files)


def resumed(checkpoint):
    """What the rest of the training gives: steps that it took, weights, statistics."""
    network, steps = Network(), []
    note = lambda done, total, text: steps.append(done)  # noqa: E731
    train_classifier(network, Shares(), RECIPE, seed=0, device=CPU, progress=note, checkpoint=checkpoint)
    distributed.gathered(None)
    return steps, network.branches[0].weight.flatten().tolist(), network.norm.running_mean.tolist()


def work(folder):
    network = Network()
    distributed.share_weights(network)
    weights, unused = gradient(network)
    trained = Network()
    files = {"checkpoint": folder / "checkpoint.pt", "history": folder / "history.jsonl"}
    rows = train_classifier(trained, Shares(), RECIPE, seed=0, device=CPU, **files)
    raw = Network()
    train_classifier(raw, Shares(), RECIPE.model_copy(update={"ema": None}), seed=0, device=CPU)
    judged = evaluate(trained, Digits())
    moved = folder.parent / f"{distributed.world() - 1}" / "moved.checkpoint"  # of one process less
    from_fewer = resumed(moved) if moved.exists() else None
    for name in ("moved.checkpoint", "torn.checkpoint"):
        interrupted(folder / name)
    return {
        "world": distributed.world(),
        "gradient": weights,
        "unused": unused,
        "weights": trained.branches[0].weight.flatten().tolist(),
        "mean": trained.norm.running_mean.tolist(),
        "raw_mean": raw.norm.running_mean.tolist(),
        "loss": [row["train_loss"] for row in rows],
        "evaluation": [judged.n, *judged.metrics.values(), judged.columns["predictions"].tolist()],
        "resumed": resumed(folder / "torn.checkpoint"),
        "resumed_from_fewer": from_fewer,
        "disagreement": message(disagree),
        "loss_of_one": message(lose_one_rank),
    }


def launch(world, folder):
    """Forks ``world`` processes as torchrun would start them; False if one of them fails."""
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        os.environ |= {
            "WORLD_SIZE": str(world),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(free.getsockname()[1]),
        }
    children = []
    for rank in range(world):
        children.append(os.fork())
        if not children[-1]:
            os.environ["RANK"] = str(rank)
            torch.set_num_threads(1)
            try:
                with distributed.process_group(CPU):
                    (folder / f"{rank}.json").write_text(json.dumps(work(folder)))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)  # at once: an orderly end takes down all of torch, seconds of work
    return sum(os.waitpid(child, 0)[1] for child in children) == 0


if __name__ == "__main__":
    sys.exit(not all(launch(world, Path(sys.argv[1]) / str(world)) for world in (1, 2, 3)))
