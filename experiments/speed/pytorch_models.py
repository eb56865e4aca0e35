"""Trains the PyTorch models that `experiments.speed` compares ours with, in their own environment.

    python pytorch_models.py din records.npz '{"threads": 1, "arguments": {"dim": 16, ...}}'

Needs torch and fuxictr alone. First it writes the number of the model's parameters and the
versions. For each line of standard input, a number of steps, it trains so many and writes the
seconds that they took, by the clock and by the processor.
"""

import importlib.metadata
import importlib.util
import json
import pathlib
import sys
import time

import numpy as np
import torch
from fuxictr.features import FeatureMap
from fuxictr.pytorch.layers import DIN_Attention, MLP_Block
from torch import nn


class DIN(nn.Module):
    """DIN of FuxiCTR's layers over the item and the category, each with its history.

    Args:
        sizes: Ids of the user, of the item and of the category.
        dim: Embedding size.
        units: Widths of the MLP's hidden layers.
        attention_units: Widths of the activation unit's.
    """

    def __init__(self, sizes, dim, units, attention_units):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(n + 1, dim, padding_idx=0) for n in sizes)
        self.attentions = nn.ModuleList(
            DIN_Attention(dim, list(attention_units), hidden_activations="Dice") for _ in range(2)
        )
        self.mlp = MLP_Block(5 * dim, list(units), hidden_activations="ReLU", output_dim=1)

    def forward(self, ids, histories):
        """Returns logits, (B, 1), of ids (B, 3) and histories (2, B, L); padding is -1."""
        ids, histories = ids + 1, histories + 1  # 0 is the tables' padding
        fields = [table(ids[:, i]) for i, table in enumerate(self.tables)]
        for i, attention in enumerate(self.attentions):
            values = self.tables[i + 1](histories[i])  # (B, L, d)
            fields.append(attention(fields[i + 1], values, (histories[i] > 0).float()))
        return self.mlp(torch.cat(fields, 1))


class DeepFM(nn.Module):
    """DeepFM on one table of all fields' embeddings, and one of their weights.

    Args:
        sizes: Numbers of the fields' values.
        dim: Embedding size.
        units: Widths of the MLP's hidden layers.
    """

    def __init__(self, sizes, dim, units):
        super().__init__()
        self.register_buffer("offsets", torch.tensor(np.cumsum([0, *sizes[:-1]])))
        self.table = nn.Embedding(sum(sizes), dim)
        self.weights = nn.Embedding(sum(sizes), 1)
        for table in (self.table, self.weights):
            nn.init.normal_(table.weight, std=0.01)
        self.mlp = MLP_Block(len(sizes) * dim, list(units), hidden_activations="ReLU", output_dim=1)

    def forward(self, ids):
        """Returns logits, (B, 1), of ids (B, m)."""
        ids = ids + self.offsets  # (B, m)
        fields = self.table(ids)  # (B, m, d)
        squares = fields.sum(1) ** 2 - (fields**2).sum(1)  # (B, d)
        pairs = squares.sum(1, keepdim=True) / 2  # (B, 1)
        return self.weights(ids).sum(1) + pairs + self.mlp(fields.flatten(1))


def step_of(model):
    """Returns a training step: forward, backward and Adam."""
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    loss = nn.BCEWithLogitsLoss()

    def step(*inputs, labels):
        optimizer.zero_grad()
        loss(model(*inputs)[:, 0], labels).backward()
        optimizer.step()

    return step


def interhat(zoo, sizes, **arguments):
    """Returns the InterHAt of FuxiCTR's model zoo and the step of its `fit`.

    Args:
        zoo: FuxiCTR's folder `model_zoo`.
        sizes: Numbers of the fields' values.
        **arguments: Those of FuxiCTR's class.
    """
    path = pathlib.Path(zoo, "InterHAt", "src", "InterHAt.py")
    spec = importlib.util.spec_from_file_location("fuxictr_interhat", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    features = FeatureMap("records", "")
    features.labels = ["label"]
    for i, size in enumerate(sizes):
        features.features[f"f{i}"] = {"type": "categorical", "source": "", "vocab_size": size}
    how = {"optimizer": "adam", "loss": "binary_crossentropy", "metrics": [], "verbose": 0}
    model = module.InterHAt(features, model_root="", **how, **arguments)
    model._max_gradient_norm = 10.0  # as `fit` sets it

    def step(ids, labels):
        fields = {f"f{i}": values for i, values in enumerate(ids.unbind(1))}
        model.train_step({**fields, "label": labels})

    return model, step


def main():
    name, path, settings = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    torch.set_num_threads(settings["threads"])
    torch.manual_seed(0)
    with np.load(path) as arrays:
        tensors = {kind: torch.from_numpy(arrays[kind]) for kind in arrays}
    labels = tensors.pop("labels")  # (batches, B)
    batches = list(zip(*tensors.values(), strict=True))
    if name == "interhat":
        model, step = interhat(**settings["arguments"])
    else:
        model = {"din": DIN, "deepfm": DeepFM}[name](**settings["arguments"])
        step = step_of(model)
    parameters = sum(weights.numel() for weights in model.parameters())
    versions = {package: importlib.metadata.version(package) for package in ("torch", "fuxictr")}
    print(json.dumps({"parameters": parameters, "versions": versions}), flush=True)
    done = 0
    for line in sys.stdin:
        start = time.perf_counter(), time.process_time()
        for _ in range(int(line)):
            step(*batches[done % len(batches)], labels=labels[done % len(batches)])
            done += 1
        ended = time.perf_counter(), time.process_time()
        print(json.dumps([e - s for s, e in zip(start, ended, strict=True)]), flush=True)


if __name__ == "__main__":
    main()
