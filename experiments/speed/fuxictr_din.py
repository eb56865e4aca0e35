"""Trains a DIN of FuxiCTR's layers for `experiments.speed.histories`, in an environment of its own.

    python fuxictr_din.py records.npz '{"units": [200, 80], ...}'

Needs torch and fuxictr alone. For each line of standard input, a number of steps, it trains so
many and writes the processor's seconds that they took.
"""

import json
import sys
import time

import numpy as np
import torch
from fuxictr.pytorch.layers import DIN_Attention, MLP_Block
from torch import nn


class DIN(nn.Module):
    """DIN over the item and the category, each with a history of its own.

    Args:
        sizes: Ids of the user, of the item and of the category; theirs begin at 1.
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
        """Returns logits, (B, 1), of ids (B, 3) and histories (2, B, L)."""
        fields = [table(ids[:, i]) for i, table in enumerate(self.tables)]
        for i, attention in enumerate(self.attentions):
            values = self.tables[i + 1](histories[i])  # (B, L, d)
            fields.append(attention(fields[i + 1], values, (histories[i] > 0).float()))
        return self.mlp(torch.cat(fields, 1))


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    arguments = json.loads(sys.argv[2])
    with np.load(sys.argv[1]) as arrays:
        batches = [
            (torch.from_numpy(ids) + 1, torch.from_numpy(history) + 1, torch.from_numpy(labels))
            for ids, history, labels in zip(
                arrays["ids"], arrays["histories"], arrays["labels"], strict=True
            )
        ]
    model = DIN(**arguments)
    optimizer = torch.optim.Adam(model.parameters())
    loss = nn.BCEWithLogitsLoss()
    done = 0
    for line in sys.stdin:
        start = time.process_time()
        for _ in range(int(line)):
            ids, histories, labels = batches[done % len(batches)]
            optimizer.zero_grad()
            loss(model(ids, histories)[:, 0], labels).backward()
            optimizer.step()
            done += 1
        print(time.process_time() - start, flush=True)


if __name__ == "__main__":
    main()
