"""Makefile, Dockerfile, compose.yaml and what they start: checked without building an image."""

from __future__ import annotations

import importlib.util
import os
import re
import runpy
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # transformers brings it, its types are not worth a dependency

ROOT = Path(__file__).parent.parent
SCRIPTS = [ROOT / "docker" / "entrypoint.sh", ROOT / ".ci" / "run"]
WITH_COMMANDS = ["Makefile", "Dockerfile", "compose.yaml", ".ci/run", "docker/entrypoint.sh", "*.md", "docs/**/*.md"]
COMPILERS = ("gcc", "g++", "clang", "build-essential", "-dev ")


@dataclass
class Stage:
    """One stage of the Dockerfile: its instructions after those of the stage that it starts from."""

    name: str
    steps: list[tuple[str, str]]

    def all(self, instruction: str) -> list[str]:
        return [rest for name, rest in self.steps if name == instruction]


def dockerfile() -> dict[str, Stage]:
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    stages: dict[str, Stage] = {}
    for line in filter(str.strip, text.splitlines()):
        instruction, rest = line.split(maxsplit=1)
        if instruction == "FROM":
            base, _, name = rest.split()
            stages[name] = Stage(name, list(stages[base].steps) if base in stages else [])
        elif stages:
            stages[list(stages)[-1]].steps.append((instruction, rest.strip()))
    return stages


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "compose.yaml").read_text()))


STAGES, COMPOSE = dockerfile(), compose()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def files_with_commands() -> Iterator[Path]:
    for pattern in WITH_COMMANDS:
        yield from sorted(ROOT.glob(pattern))


class TestImage:
    @pytest.mark.parametrize("target", ["cpu", "gpu"])
    def test_a_target_runs_as_a_user_that_is_not_root(self, target: str) -> None:
        user = STAGES[target].all("USER")[-1]
        created = [step for step in STAGES[target].all("RUN") if "useradd" in step]
        assert user not in ("root", "0")
        assert any(re.search(rf"--uid [1-9]\d+ .*\b{user}\b", step) for step in created)

    @pytest.mark.parametrize("target", ["cpu", "gpu"])
    def test_a_target_serves_and_tells_its_health(self, target: str) -> None:
        (check,) = STAGES[target].all("HEALTHCHECK")
        (entry,) = STAGES[target].all("ENTRYPOINT")
        assert "docker/healthcheck.py" in check
        assert "/readyz" in (ROOT / "docker" / "healthcheck.py").read_text()
        assert entry == '["docker/entrypoint.sh"]'
        assert STAGES[target].all("EXPOSE") == ["8000"]
        assert "BEOPGIL_HOST=0.0.0.0" in " ".join(STAGES[target].all("ENV"))

    @pytest.mark.parametrize("target", ["cpu", "gpu"])
    def test_models_and_the_sample_index_are_inside(self, target: str) -> None:
        copies = " ".join(STAGES[target].all("COPY"))
        assert "models models" in copies
        assert "--from=sample-index" in copies
        assert any("training.index --source samples" in step for step in STAGES["sample-index"].all("RUN"))

    def test_the_default_target_is_cpu(self) -> None:
        assert list(STAGES)[-1] == "cpu"

    @pytest.mark.parametrize("target", ["cpu", "gpu"])
    def test_no_compiler_is_inside(self, target: str) -> None:
        assert not [step for step in STAGES[target].all("RUN") for tool in COMPILERS if tool in step]

    def test_every_copied_path_exists_and_reaches_the_build(self) -> None:
        for copy in {copy for stage in STAGES.values() for copy in stage.all("COPY")}:
            *sources, _ = [word for word in copy.split() if not word.startswith("--")]
            if origin := re.search(r"--from=(\S+)", copy):
                assert origin[1] in STAGES
                continue
            for source in sources:
                assert (ROOT / source).exists(), source
                assert not ignored(source), f"{source} is kept out by .dockerignore"

    def test_nothing_else_reaches_the_build(self) -> None:
        for path in (".git", ".venv", "data", "indexes", "work", "tests", "README.md", "app/__pycache__"):
            assert ignored(path), path


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps `path` out; its last matching line decides."""
    out = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        names = [path, *(str(parent) for parent in Path(path).parents)]
        if line and not line.startswith("#") and any(fnmatch(name, pattern) for name in names):
            out = not line.startswith("!")
    return out


class TestCompose:
    def test_plain_up_serves_on_port_8000_of_this_machine(self) -> None:
        default = [name for name, service in SERVICES.items() if "profiles" not in service]
        assert default == ["search"]
        assert SERVICES["search"]["ports"] == ["${BIND:-127.0.0.1}:${PORT:-8000}:8000"]

    @pytest.mark.parametrize("name", SERVICES)
    def test_every_service_is_confined(self, name: str) -> None:
        service = SERVICES[name]
        assert service["read_only"] is True
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["cap_drop"] == ["ALL"]
        assert service["tmpfs"] == ["/tmp"]

    @pytest.mark.parametrize("name", SERVICES)
    def test_targets_and_volumes_exist(self, name: str) -> None:
        build, volumes = SERVICES[name]["build"], SERVICES[name]["volumes"]
        assert re.sub(r"^\$\{\w+:-(\w+)\}$", r"\1", build["target"]) in STAGES
        named = [volume.split(":")[0] for volume in volumes if not volume.startswith(("$", ".", "/"))]
        assert "indexes" in named
        assert set(named) <= set(COMPOSE["volumes"])
        assert any(volume.endswith(":/srv/beopgil/data:ro") for volume in volumes)

    def test_profiles(self) -> None:
        assert SERVICES["search-gpu"]["profiles"] == ["gpu"]
        assert SERVICES["train"]["profiles"] == ["train"]
        (device,) = SERVICES["search-gpu"]["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])

    @pytest.mark.parametrize("name", ["search", "search-gpu"])
    def test_health(self, name: str) -> None:
        assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "python", "docker/healthcheck.py"]

    @pytest.mark.parametrize("profile", [None, "gpu", "train"])
    def test_docker_compose_accepts_it(self, profile: str | None) -> None:
        docker = shutil.which("docker")
        if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
            pytest.skip("no docker with the compose plugin here")
        options = ["--profile", profile] if profile else []
        done = subprocess.run(
            [docker, "compose", *options, "config", "--quiet"], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


class TestCommands:
    def test_every_pip_call_takes_the_constraints(self) -> None:
        calls = [
            f"{path.name}: {line.strip()}"
            for path in files_with_commands()
            for line in path.read_text(encoding="utf-8").splitlines()
            if re.search(r"\bpip3? install\b", line)
        ]
        assert len(calls) >= 4
        assert [call for call in calls if "-c constraints.txt" not in call and "-r $<" not in call] == []

    @pytest.mark.parametrize("pins", sorted((ROOT / "benchmarks/peers").glob("*.txt")), ids=lambda path: path.stem)
    def test_an_environment_of_its_own_has_every_pin_exact_and_our_torch(self, pins: Path) -> None:
        lines = [line for line in pins.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        assert [line for line in lines if not re.fullmatch(r"[a-z-]+(\[[a-z,]+\])?==[0-9.]+", line)] == []
        assert lines[0] in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        assert lines[0].startswith("torch==")

    def test_torch_is_installed_before_the_rest(self) -> None:
        pip = [line.strip() for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("\t$(PIP)")]
        assert pip[0] == "$(PIP) torch"

    def test_every_module_that_is_started_exists(self) -> None:
        modules = {
            module
            for path in files_with_commands()
            for module in re.findall(r"(?:python|\(PYTHON\)) -m ([a-z_.]+)", path.read_text(encoding="utf-8"))
        }
        assert {"app", "training.index", "training.run"} <= modules
        missing = [module for module in modules - {"pip", "venv"} if not runnable(module)]
        assert missing == []

    @pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
    def test_scripts_are_executable_and_parse(self, script: Path) -> None:
        assert os.access(script, os.X_OK)
        shell = script.read_text().splitlines()[0].split("/")[-1].split()[-1]
        subprocess.run([shell, "-n", script], check=True)

    def test_ci_runs_what_the_desk_runs(self) -> None:
        text = (ROOT / ".ci" / "run").read_text()
        assert text.startswith("#!/usr/bin/env bash\n")
        assert "set -euo pipefail" in text
        assert text.endswith("make check test\n")


def runnable(module: str) -> bool:
    spec = importlib.util.find_spec(module)
    if spec is not None and spec.submodule_search_locations:
        spec = importlib.util.find_spec(f"{module}.__main__")
    return spec is not None


FAKE_PYTHON = """#!/bin/sh
echo "python $*"
"""


@pytest.fixture
def container(tmp_path: Path) -> Any:
    """Runs the entrypoint in a folder like the image's, with a python that says how it is called."""
    for folder in ("docker", "bin", "models/beopgil-mini-bi", "samples", "indexes/samples"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "docker" / "entrypoint.sh", tmp_path / "docker")
    (tmp_path / "bin" / "python").write_text(FAKE_PYTHON)
    (tmp_path / "bin" / "python").chmod(0o755)
    (tmp_path / "models" / "beopgil-mini-bi" / "model.safetensors").touch()

    def run(*arguments: str, **environment: str) -> list[str]:
        path = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "TMPDIR": "/tmp"}
        command = ["sh", str(tmp_path / "docker" / "entrypoint.sh"), *arguments]
        done = subprocess.run(command, env=path | environment, check=True, capture_output=True, text=True)
        return done.stdout.splitlines()

    return run


BUILD = "python -m training.index --source samples --name samples --root indexes --work /tmp/work"
SERVE = "python -m app"


class TestEntrypoint:
    def test_the_sample_index_is_built_where_it_is_missing(self, container: Any) -> None:
        assert container() == [BUILD, SERVE]

    def test_it_is_not_built_where_it_is_there(self, container: Any, tmp_path: Path) -> None:
        (tmp_path / "indexes" / "samples" / "CURRENT").touch()
        assert container() == [SERVE]

    def test_it_is_built_again_for_newer_models(self, container: Any, tmp_path: Path) -> None:
        (tmp_path / "indexes" / "samples" / "CURRENT").touch()
        later = time.time() + 5
        os.utime(tmp_path / "models" / "beopgil-mini-bi" / "model.safetensors", (later, later))
        assert container() == [BUILD, SERVE]

    def test_another_index_is_never_built(self, container: Any) -> None:
        assert container(BEOPGIL_INDEX="law") == [SERVE]

    def test_arguments_are_run_instead(self, container: Any) -> None:
        assert container("python", "-m", "training.run", "a b") == ["python -m training.run a b"]


class Readiness(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
        pass


@pytest.fixture
def service() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Readiness)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class TestHealthcheck:
    @pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
    def test_it_exits_as_the_service_is(
        self, service: HTTPServer, status: int, code: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Readiness, "status", status)
        assert healthcheck({"PORT": str(service.server_port)}) == code

    def test_no_service_is_not_ready(self) -> None:
        assert healthcheck({"BEOPGIL_PORT": "1", "PORT": "2"}) == 1


def healthcheck(environment: dict[str, str]) -> int:
    """The exit code of docker/healthcheck.py, in a container that is told to use a proxy."""
    proxy = {"http_proxy": "http://127.0.0.1:1", "no_proxy": ""}
    command = [sys.executable, str(ROOT / "docker" / "healthcheck.py")]
    return subprocess.run(command, env=os.environ | proxy | environment, timeout=30).returncode


class TestRequirements:
    requirements = staticmethod(runpy.run_path(str(ROOT / "docker" / "requirements.py"))["requirements"])

    def test_they_are_those_of_the_project_and_its_extras(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        optional = project["optional-dependencies"]
        expected = [*project["dependencies"], *optional["cpu"], *optional["train"]]
        assert self.requirements(ROOT / "pyproject.toml", "cpu,train") == expected

    def test_an_unknown_extra_is_an_error(self) -> None:
        with pytest.raises(KeyError, match="cqu"):
            self.requirements(ROOT / "pyproject.toml", "cqu")

    @pytest.mark.parametrize("target", ["cpu", "gpu"])
    def test_the_image_asks_for_extras_that_exist(self, target: str) -> None:
        (extras,) = [arg.removeprefix("EXTRAS=") for arg in STAGES[f"build-{target}"].all("ARG") if "EXTRAS" in arg]
        assert self.requirements(ROOT / "pyproject.toml", extras)
