"""An auth manager with three rights, built on Airflow's base class alone, as a company may write it."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from fastapi import Body, FastAPI, HTTPException

RIGHTS = {
    "admin": {"read", "run", "write"},
    "editor": {"read", "run", "write"},
    "runner": {"read", "run"},
    "reader": {"read"},
    "guest": set(),
}


class Person(BaseUser):
    """A user that has only a name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def get_id(self) -> str:
        return self.name

    def get_name(self) -> str:
        return self.name


class CustomAuthManager(BaseAuthManager[Person]):
    """Grants each user the right to read, to start runs, or to write everything."""

    def deserialize_user(self, token: dict[str, Any]) -> Person:
        return Person(token["sub"])

    def serialize_user(self, user: Person) -> dict[str, Any]:
        return {"sub": user.name}

    def get_url_login(self, **kwargs: Any) -> str:
        return "/auth/login"

    def get_fastapi_app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/token")
        def token(username: str = Body(), password: str = Body()) -> dict[str, str]:
            if username not in RIGHTS or username != password:
                raise HTTPException(401)
            return {"access_token": self.generate_jwt(Person(username))}

        return app

    def _may(self, *, method: str, user: Person, **_: Any) -> bool:
        return ("read" if method == "GET" else "write") in RIGHTS[user.name]

    def is_authorized_dag(self, *, method: str, user: Person, **_: Any) -> bool:
        return ("read" if method == "GET" else "run") in RIGHTS[user.name]

    is_authorized_asset = is_authorized_asset_alias = is_authorized_configuration = is_authorized_connection = _may
    is_authorized_custom_view = is_authorized_pool = is_authorized_variable = _may

    def is_authorized_view(self, *, user: Person, **_: Any) -> bool:
        return bool(RIGHTS[user.name])

    def filter_authorized_menu_items(self, menu_items: list[Any], *, user: Person) -> list[Any]:
        return menu_items if RIGHTS[user.name] else []
