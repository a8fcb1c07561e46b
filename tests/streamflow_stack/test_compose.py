"""The compose files follow the Compose specification and keep their promises about secrets, networks and rights."""

from __future__ import annotations

import base64
import configparser
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from streamflow.version import VERSION
from streamflow_stack import airflow, redis_address
from streamflow_stack.cli import healthcheck
from support.compose_file import FULL, LITE, ROOT, filled, image_environment, services, variables

SCHEMA = Path(__file__).parent / "compose_specification" / "compose-spec.json"
SECRET = re.compile(r"PASSWORD|SECRET|KEY")
EXAMPLE = ROOT / ".env.example"
# The table of variables in the guide.
GUIDE = (ROOT / "docs" / "CONCURRENT_STREAM_CHECKING.md").read_text()
DOCUMENTED = {
    name
    for row in re.findall(r"^\| (`[A-Z].*?) \|", GUIDE[GUIDE.index("### Environment") :], re.MULTILINE)
    for name in re.findall(r"`([A-Z0-9]+_[A-Z0-9_]+)`", row)
}
# A container has a home of its own, and these name a stack on another machine.
IN_A_FILE = {FULL: {"REDIS_PASSWORD"}, LITE: set[str]()}
OF_THE_MACHINE = {"STREAMFLOW_HOME", *(f"STREAMFLOW_AIRFLOW_{name}" for name in ("URL", "USERNAME", "PASSWORD"))}
both = pytest.mark.parametrize("file", [FULL, LITE], ids=lambda file: file.name)


def document(file: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(file.read_text()))


def example() -> dict[str, str]:
    """Return the variables of .env.example, each with the comment above it."""
    comments, comment = {}, ""
    for line in EXAMPLE.read_text().splitlines():
        if line.startswith("#"):
            comment += line.lstrip("# ")
        elif name := line.partition("=")[0]:
            comments[name] = comment
        else:
            comment = ""
    return comments


@both
def test_a_compose_file_follows_the_specification(file: Path) -> None:
    validator = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text()))
    assert [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(document(file))] == []


@both
def test_every_variable_is_explained_in_the_example(file: Path) -> None:
    assert {name for name in variables(file) if not example().get(name)} == set()


def test_the_example_explains_only_variables_that_a_compose_file_reads() -> None:
    assert set(example()) == set(variables(FULL)) | set(variables(LITE))


@both
def test_every_documented_variable_reaches_the_containers(file: Path) -> None:
    assert DOCUMENTED - OF_THE_MACHINE - IN_A_FILE[file] - set(variables(file)) == set()


def test_every_variable_of_the_containers_is_documented() -> None:
    passed_on = {name for file in (FULL, LITE) for name, sign in variables(file).items() if sign == ""}
    assert passed_on - DOCUMENTED == set()


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
    published = {name: fields["ports"] for name, fields in document(file)["services"].items() if "ports" in fields}
    assert list(published) == (["api-server"] if file == FULL else ["streamflow"])
    assert all(port.startswith("${STREAMFLOW_BIND:-127.0.0.1}:") for ports in published.values() for port in ports)


def test_the_stores_are_on_a_network_of_their_own_without_a_way_out() -> None:
    composed = document(FULL)
    assert composed["networks"] == {"database": {"internal": True}, "redis": {"internal": True}}
    assert composed["services"]["redis"]["networks"] == ["redis"]
    assert composed["services"]["postgres"]["networks"] == ["database"]


def test_the_workers_have_no_way_to_the_database() -> None:
    worker = document(FULL)["services"]["worker"]
    assert worker["networks"] == ["redis", "default"]
    assert [name for name in worker["environment"] if "DATABASE" in name] == []


# The files that each service reads; `init` alone knows the password of the UI, and `worker` meets what strangers send.
SECRETS = {
    "redis": {"redis_password", "broker_password"},
    "postgres": {"postgres_password"},
    "init": {"postgres_password", "fernet_key", "redis_password", "broker_password", "airflow_admin_password"},
    "api-server": {
        "postgres_password", "fernet_key", "redis_password", "broker_password", "api_secret_key", "jwt_secret",
    },
    "scheduler": {
        "postgres_password", "fernet_key", "redis_password", "broker_password", "api_secret_key", "jwt_secret",
    },
    "dag-processor": {"postgres_password", "fernet_key", "redis_password", "broker_password"},
    "triggerer": {"postgres_password", "fernet_key", "redis_password", "broker_password", "api_secret_key"},
    "worker": {"redis_password", "broker_password", "api_secret_key"},
}  # fmt: skip


def test_each_service_sees_its_own_secrets_alone_and_all_that_it_reads() -> None:
    composed = document(FULL)
    assert {name: set(service["secrets"]) for name, service in composed["services"].items()} == SECRETS
    for name, service in composed["services"].items():
        read = set(re.findall(r"/run/secrets/(\w+)", json.dumps(service)))
        read |= set(re.findall(r"digest (\w+)", json.dumps(service)))
        assert read == SECRETS[name], name


def test_the_source_and_its_login_reach_only_the_services_that_use_it() -> None:
    composed = document(FULL)["services"]
    login = {"DISPATCHARR_API_KEY", "DISPATCHARR_PASSWORD", "STREAMFLOW_XTREAM_PASSWORD", "STREAMFLOW_M3U"}
    assert {name for name, one in composed.items() if login & set(one.get("environment", {}))} == {
        "init",
        "worker",
        # An undo writes to the source.
        "api-server",
    }


def test_one_command_makes_every_secret_and_keeps_those_that_exist(tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    script = shutil.copy(ROOT / "docker" / "secrets", tmp_path / "docker")
    (tmp_path / ".env").write_text("POSTGRES_PASSWORD=from-env\nREDIS_PASSWORD=\n")
    for _ in range(2):
        subprocess.run(["sh", script], check=True, capture_output=True)
        made = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    assert set(made) == set(document(FULL)["secrets"])
    assert made.pop("postgres_password") == "from-env"
    assert len(base64.urlsafe_b64decode(made.pop("fernet_key"))) == 32
    assert len(set(made.values())) == len(made)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", secret) for secret in made.values())
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    before = made
    subprocess.run(["sh", script], check=True, capture_output=True)
    assert {name: (tmp_path / "secrets" / name).read_text() for name in before} == before


@both
def test_no_container_runs_as_root_or_writes_outside_its_volumes(file: Path) -> None:
    for name, service in document(file)["services"].items():
        assert service["user"] in ("valkey", "postgres", "${PUID:-50000}:${PGID:-50000}"), name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name


@both
def test_every_container_has_bounds_and_every_lasting_one_a_health_check(file: Path) -> None:
    for name, service in document(file)["services"].items():
        assert set(service["deploy"]["resources"]["limits"]) == {"memory", "pids"}, name
        assert name == "init" or service["healthcheck"]["test"], name


def test_services_wait_for_what_they_need() -> None:
    composed = document(FULL)["services"]
    ready = {"redis": "service_healthy", "postgres": "service_healthy", "init": "service_completed_successfully"}
    for name in ("api-server", "scheduler", "dag-processor", "triggerer", "worker"):
        waits = {needed: condition["condition"] for needed, condition in composed[name]["depends_on"].items()}
        # Compose stops in the opposite order: the API server outlives the tasks that report to it.
        assert waits == ready | ({} if name == "api-server" else {"api-server": "service_healthy"}), name


@both
def test_images_are_pinned(file: Path) -> None:
    images = {service["image"] for service in document(file)["services"].values()} - {"${STREAMFLOW_IMAGE:-streamflow}"}
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
    images |= {line.split()[1] for line in dockerfile.splitlines() if line.startswith("FROM ")} - {"scratch"}
    assert [image for image in images if not re.search(r":\d+\.\d+", image)] == []


@both
def test_health_checks_name_parts_that_the_command_knows(file: Path) -> None:
    parts = {*healthcheck.LISTENING, *healthcheck.NAMED}
    values = dict.fromkeys(variables(file), "x")
    checked = [
        one.health[2] for one in services(file, values).values() if one.health[:2] == ["streamflow", "healthcheck"]
    ]
    assert checked
    assert set(checked) <= parts


@pytest.mark.parametrize("file", sorted((ROOT / "examples" / "nas").glob("*.yaml")), ids=lambda file: file.stem)
def test_a_template_of_a_nas_is_the_lite_file_with_a_released_image(file: Path) -> None:
    validator = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text()))
    assert [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(document(file))] == []
    (service,), (lite,) = (document(one)["services"].values() for one in (file, LITE))
    assert service["image"] == f"ghcr.io/<owner>/streamflow:{VERSION}"
    assert service["command"] == [*lite["command"][:-1], "4"]
    assert set(service["environment"]) <= set(lite["environment"])
    assert service["healthcheck"].items() <= lite["healthcheck"].items()
    assert [volume.rpartition(":")[2] for volume in service["volumes"]] == ["/opt/streamflow/state"]
    same = ("init", "restart", "read_only", "cap_drop", "security_opt", "tmpfs", "logging", "stop_grace_period")
    assert {key: service[key] for key in same} == {key: lite[key] for key in same}
    assert service["deploy"]["resources"]["limits"] == {"memory": "1200M", "pids": 512}
    assert int(service["user"].split(":")[0]) > 0


def test_variables_are_filled_in_as_compose_fills_them_in() -> None:
    assert filled("a $$b ${NAME} ${EMPTY:-c}", {"NAME": "n", "EMPTY": ""}) == "a $b n c"
    with pytest.raises(KeyError, match="NEEDED"):
        filled("${NEEDED:?see .env.example}", {})


def test_the_image_names_the_home_and_airflows_settings() -> None:
    environment = image_environment()
    assert environment["STREAMFLOW_HOME"] == "/opt/streamflow/state"
    settings = Path(environment["AIRFLOW_CONFIG"].replace("/opt/streamflow", str(ROOT)))
    assert settings == airflow.CONFIGURATION


def test_the_image_carries_the_version() -> None:
    assert f'org.opencontainers.image.version="{VERSION}"' in (ROOT / "docker" / "Dockerfile").read_text()


def test_no_setting_of_airflow_stands_twice(tmp_path: Path) -> None:
    shared = configparser.ConfigParser(interpolation=None)
    shared.read(airflow.CONFIGURATION)
    in_file = {f"AIRFLOW__{section}__{key}".upper() for section in shared.sections() for key in shared[section]}
    assert in_file
    embedded = set(airflow.settings(tmp_path, 8080, bind="::1", workers=1))
    embedded |= set(airflow.defaults(tmp_path, 8080, {}, bind="::1"))
    values = dict.fromkeys(variables(FULL), "1")
    composed = {name for one in services(FULL, values).values() for name in one.environment} | set(image_environment())
    assert in_file & (embedded | composed) == set()


def test_both_ways_to_name_redis_lead_to_the_same_place(tmp_path: Path) -> None:
    (tmp_path / "redis_password").write_text("word\n")

    def located(service: str, values: dict[str, str]) -> redis_address.RedisAddress:
        environment = services(FULL, values)[service].environment
        here = {name: value.replace("/run/secrets", str(tmp_path)) for name, value in environment.items()}
        address = redis_address.locate(here)
        assert address is not None
        return address

    values = dict.fromkeys(variables(FULL), "1") | {"REDIS_HOST": "nas", "REDIS_SSL": "true"}
    for service in ("worker", "api-server"):
        address = located(service, values)
        assert (address.host, address.port, address.db, address.password, address.ssl) == ("nas", 1, 1, "word", True)
        assert address.username == "1"
    default = located("worker", {})
    assert (default.host, default.port, default.db, default.ssl) == ("redis", 6379, 0, False)
    assert (default.username, default.password) == ("streamflow", "word")
