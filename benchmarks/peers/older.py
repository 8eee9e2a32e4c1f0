"""Model folders as sentence-transformers 3 and transformers 4 read them: newer names of the same things put back.

No imports of `app` or of those libraries: the peer `infinity` calls this in an environment of its own.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

Settings = dict[str, Any]


def copied(model: Path, target: Path) -> Path:
    """A copy of `model` in `target`, which must not exist: the same weights, the same tokenizer, older settings."""
    shutil.copytree(model, target)
    tokenizer = read(target / "tokenizer_config.json")
    write(target / "tokenizer_config.json", tokenizer_settings(tokenizer))
    config = read(target / "config.json")
    if config["model_type"] == "modernbert":
        write(target / "config.json", modernbert_settings(config))
    if (target / "1_Pooling").exists():
        write(target / "modules.json", modules(read(target / "modules.json")))
        write(target / "1_Pooling/config.json", pooling_settings(read(target / "1_Pooling/config.json")))
        write(target / "sentence_bert_config.json", {"max_seq_length": tokenizer["model_max_length"]})
    else:
        # A cross-encoder had no modules.
        (target / "modules.json").unlink(missing_ok=True)
    return target


def tokenizer_settings(settings: Settings) -> Settings:
    """Unless they are told the inputs, transformers 4 give a pair its segments and transformers 5 do not."""
    kept = ("model_max_length", "cls_token", "sep_token", "pad_token", "unk_token", "mask_token")
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_input_names": ["input_ids", "attention_mask"],
        **{name: settings[name] for name in kept if name in settings},
    }


def modernbert_settings(config: Settings) -> Settings:
    layers, bases = config["layer_types"], config["rope_parameters"]
    every = next((n for n, kind in enumerate(layers) if n and kind == "full_attention"), len(layers))
    theta = {
        f"{place}_rope_theta": bases[f"{kind}_attention"]["rope_theta"]
        for place, kind in (("global", "full"), ("local", "sliding"))
    }
    rest = {name: value for name, value in config.items() if name not in ("layer_types", "rope_parameters")}
    return {**rest, "global_attn_every_n_layers": every, **theta}


def modules(listed: list[Settings]) -> list[Settings]:
    return [{**one, "type": f"sentence_transformers.models.{one['type'].rsplit('.', 1)[1]}"} for one in listed]


def pooling_settings(settings: Settings) -> Settings:
    if "pooling_mode" not in settings:
        return settings
    way = {"mean": "mean_tokens", "cls": "cls_token"}[settings["pooling_mode"]]
    modes = {f"pooling_mode_{one}": one == way for one in ("mean_tokens", "cls_token")}
    return {"word_embedding_dimension": settings["embedding_dimension"], **modes}


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write(path: Path, settings: Any) -> None:
    path.write_text(json.dumps(settings, indent=1), encoding="utf-8")
