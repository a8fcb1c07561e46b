"""The compose files hold to the Compose specification, and to what they promise about secrets, networks and rights."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from streamflow_stack.cli import healthcheck
from support.compose_file import FULL, LITE, ROOT, filled, image_environment, services, variables

SCHEMA = Path(__file__).parent / "compose_specification" / "compose-spec.json"
SECRET = re.compile(r"PASSWORD|SECRET|KEY")
EXAMPLE = ROOT / ".env.example"
both = pytest.mark.parametrize("file", [FULL, LITE], ids=lambda file: file.name)


def document(file: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(file.read_text()))


def example() -> dict[str, str]:
    """The variables of .env.example, each with the comment above it."""
    told, comment = {}, ""
    for line in EXAMPLE.read_text().splitlines():
        if line.startswith("#"):
            comment += line.lstrip("# ")
        elif name := line.partition("=")[0]:
            told[name] = comment
        else:
            comment = ""
    return told


@both
def test_a_compose_file_holds_to_the_specification(file: Path) -> None:
    validator = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text()))
    assert [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(document(file))] == []


@both
def test_every_variable_is_explained_in_the_example(file: Path) -> None:
    assert {name for name in variables(file) if not example().get(name)} == set()


def test_the_example_explains_nothing_that_nobody_reads() -> None:
    assert set(example()) == set(variables(FULL)) | set(variables(LITE))


@both
def test_no_secret_has_a_default(file: Path) -> None:
    secrets = {name for name in variables(file) if SECRET.search(name)}
    text = file.read_text()
    assert secrets
    assert {name for name in secrets if re.search(rf"\$\{{{name}:-[^}}]", text)} == set()
    assert [
        line for line in EXAMPLE.read_text().splitlines() if re.match(r"[A-Z_]*(PASSWORD|SECRET|KEY)=.", line)
    ] == []


@both
def test_only_the_ui_is_published_and_on_loopback_alone(file: Path) -> None:
    published = {name: told["ports"] for name, told in document(file)["services"].items() if "ports" in told}
    assert list(published) == (["api-server"] if file == FULL else ["streamflow"])
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_the_stores_are_on_a_network_of_their_own_without_a_way_out() -> None:
    told = document(FULL)
    assert told["networks"]["stores"]["internal"] is True
    assert {name: told["services"][name]["networks"] for name in ("redis", "postgres")} == {
        "redis": ["stores"],
        "postgres": ["stores"],
    }


@both
def test_no_container_runs_as_root_or_writes_outside_its_volumes(file: Path) -> None:
    for name, told in document(file)["services"].items():
        assert str(told["user"]).split(":")[0] not in ("", "0", "root"), name
        assert told["read_only"] is True, name
        assert told["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in told["security_opt"], name


@both
def test_every_container_has_bounds_and_every_lasting_one_a_health_check(file: Path) -> None:
    for name, told in document(file)["services"].items():
        assert set(told["deploy"]["resources"]["limits"]) == {"memory", "pids"}, name
        assert name == "init" or told["healthcheck"]["test"], name


def test_services_wait_for_what_they_need() -> None:
    told = document(FULL)["services"]
    ready = {"redis": "service_healthy", "postgres": "service_healthy", "init": "service_completed_successfully"}
    for name in ("api-server", "scheduler", "dag-processor", "triggerer", "worker"):
        waits = {needed: how["condition"] for needed, how in told[name]["depends_on"].items()}
        assert waits == ready | ({"api-server": "service_healthy"} if name == "scheduler" else {}), name


@both
def test_images_are_pinned(file: Path) -> None:
    images = {told["image"] for told in document(file)["services"].values()} - {"streamflow"}
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
    images |= {line.split()[1] for line in dockerfile.splitlines() if line.startswith("FROM ")}
    assert [image for image in images if not re.search(r":\d+\.\d+", image)] == []


@both
def test_health_checks_ask_for_parts_that_the_command_knows(file: Path) -> None:
    parts = {*healthcheck.LISTENING, *healthcheck.KNOWN}
    values = dict.fromkeys(variables(file), "x")
    asked = [
        one.health[2] for one in services(file, values).values() if one.health[:2] == ["streamflow", "healthcheck"]
    ]
    assert asked
    assert set(asked) <= parts


def test_variables_are_filled_in_as_compose_does_it() -> None:
    assert filled("a $$b ${NAME} ${EMPTY:-c}", {"NAME": "n", "EMPTY": ""}) == "a $b n c"
    with pytest.raises(KeyError, match="NEEDED"):
        filled("${NEEDED:?see .env.example}", {})


def test_the_image_says_where_things_are() -> None:
    assert image_environment()["STREAMFLOW_HOME"] == "/opt/streamflow/state"
