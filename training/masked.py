"""Masked language modelling of the encoder's blocks: 30 % of the tokens of a passage are hidden and told from the rest.

Of the hidden ones 80 % become [MASK], 10 % another token, 10 % stay (Devlin et al. 2019; the rate after Wettig et al.
2023). The token table is the output layer too; only hidden places are scored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from training.sections import Pretrain
from training.tokens import Ragged

RATE = 0.3
IGNORED = -100
MICRO_TOKENS = 8192
"""Padded tokens of one forward pass."""


def train_masked(
    model: Any,
    passages: Ragged,
    section: Pretrain,
    ids: dict[str, int],
    rng: np.random.Generator,
    log: Callable[[int, float], None],
    schedule: Callable[[torch.optim.Optimizer, int], None],
) -> None:
    """`masked_steps` steps of `masked_batch` passages. `ids` holds the special tokens, which are never hidden."""
    table = model.embeddings.tok_embeddings.weight
    blocks = [weight for name, weight in model.named_parameters() if not name.startswith("embeddings.tok")]
    groups = [
        {"params": blocks, "peak": section.lr, "weight_decay": 0.01},
        {"params": [table], "peak": section.embedding_lr, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=section.lr, betas=(0.9, 0.98))
    model.train()
    for step in range(section.masked_steps):
        schedule(optimizer, step)
        rows = rng.integers(len(passages), size=section.masked_batch)
        optimizer.zero_grad()
        log(step, _step(model, passages, rows, table, ids, rng))
        torch.nn.utils.clip_grad_norm_(blocks, 1.0)
        optimizer.step()


def _step(
    model: Any,
    passages: Ragged,
    rows: npt.NDArray[np.int64],
    table: Tensor,
    ids: dict[str, int],
    rng: np.random.Generator,
) -> float:
    """The mean loss of a batch; its gradient is left in the weights."""
    order = rows[np.argsort(-passages.lengths(rows), kind="stable")]
    wanted = max(1, round(RATE * int(passages.lengths(rows).sum())))
    total = 0.0
    for part in np.array_split(order, max(1, -(-int(passages.lengths(order).sum()) // MICRO_TOKENS))):
        tokens, mask = passages.padded(part, pad=ids["[PAD]"])
        shown, targets = hide(tokens, ids, len(table), rng)
        device = table.device
        with torch.autocast(device.type, dtype=torch.bfloat16):
            inputs = {"input_ids": torch.from_numpy(shown), "attention_mask": torch.from_numpy(mask)}
            hidden = model(**{name: value.to(device) for name, value in inputs.items()}).last_hidden_state
            places = torch.from_numpy(targets != IGNORED).to(device)
            scores = hidden[places] @ model.embeddings.norm(table).T
        own = torch.from_numpy(targets[targets != IGNORED]).to(device)
        loss = functional.cross_entropy(scores.float(), own, reduction="sum") / wanted
        torch.autograd.backward(loss)
        total += float(loss.detach())
    return total


def hide(
    tokens: npt.NDArray[np.int64], ids: dict[str, int], vocabulary: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(what the model sees, what it must tell: IGNORED where nothing is hidden), both of the shape of `tokens`."""
    drawn = rng.random(tokens.shape)
    hidden = (drawn < RATE) & ~np.isin(tokens, list(ids.values()))
    targets = np.where(hidden, tokens, IGNORED)
    shown = np.where(hidden & (drawn < 0.8 * RATE), ids["[MASK]"], tokens)
    swapped = hidden & (drawn >= 0.8 * RATE) & (drawn < 0.9 * RATE)
    shown = np.where(swapped, rng.integers(len(ids), vocabulary, size=tokens.shape), shown)
    return shown, targets
