"""Imports go one way, training → app; api, web → retrieval → law: read from the code itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODELS = {"torch", "transformers", "sentence_transformers", "faiss", "numpy", "bm25s", "tokenizers", "pyarrow", "peft"}
WEB = {"fastapi", "starlette", "uvicorn", "jinja2", "structlog", "prometheus_client"}
FORBIDDEN = {
    "app": {"training", "benchmarks", "tests"},
    "app/law": {"app.retrieval", "app.api", "app.web", "app.main", "app.settings", *MODELS, *WEB},
    "app/retrieval": {"app.api", "app.web", "app.main", "app.settings", *WEB},
    "app/api": {"app.web", "app.main", "torch", "transformers", "sentence_transformers", "faiss", "bm25s"},
    "app/web": {"app.main", *MODELS},
    "training": {"tests", *WEB - {"jinja2"}},
}


def modules(folder: str) -> Iterator[Path]:
    return (ROOT / folder).rglob("*.py")


def imports(path: Path) -> set[str]:
    """Absolute names of everything that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively: name the module in full"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_a_part_imports_nothing_from_above_it(folder: str) -> None:
    paths = list(modules(folder))
    assert paths
    for path in paths:
        crossing = {name for name in imports(path) for package in FORBIDDEN[folder] if within(name, package)}
        assert not crossing, f"{path.relative_to(ROOT)} imports {sorted(crossing)}"


def test_the_reader_of_imports_sees_both_forms_and_nested_ones(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("import numpy as np\nfrom app import api\ndef f():\n    from torch.nn import Linear\n")
    assert imports(path) == {"numpy", "app.api", "torch.nn.Linear"}
    assert within("torch.nn.Linear", "torch")
    assert not within("torchvision", "torch")


@pytest.mark.parametrize("folder", ["app", "training"])
def test_no_pickle_and_no_remote_code(folder: str) -> None:
    for path in modules(folder):
        assert not imports(path) & {"pickle", "joblib", "dill", "cloudpickle"}, path
        assert "trust_remote_code=True" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize("name", ["peers/service", "peers/older", "peers/infinity", "peers/haystack", "processes"])
def test_what_runs_in_the_environment_of_a_peer_imports_nothing_of_ours(name: str) -> None:
    found = imports(ROOT / f"benchmarks/{name}.py")
    ours = {one for one in found if one.partition(".")[0] in {"app", "training", "benchmarks"}}
    known = ("benchmarks.peers.service", "benchmarks.peers.older", "benchmarks.processes")
    assert all(any(within(one, module) for module in known) for one in ours)
