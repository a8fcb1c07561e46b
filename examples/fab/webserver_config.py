"""FAB's own settings: people log in at an OpenID Connect provider, and their groups decide their roles.

``AIRFLOW__FAB__CONFIG_FILE`` names this file. Without ``OIDC_ISSUER`` people log in with passwords that Airflow stores.
"""

import os

from flask_appbuilder.const import AUTH_DB, AUTH_OAUTH

issuer = os.environ.get("OIDC_ISSUER", "").rstrip("/")
AUTH_TYPE = AUTH_OAUTH if issuer else AUTH_DB
OAUTH_PROVIDERS = [
    {
        "name": "oidc",
        "icon": "fa-key",
        "token_key": "access_token",
        "remote_app": {
            "client_id": os.environ.get("OIDC_CLIENT_ID"),
            "client_secret": os.environ.get("OIDC_CLIENT_SECRET"),
            # OpenID Connect Discovery 1.0, section 4.
            "server_metadata_url": f"{issuer}/.well-known/openid-configuration",
            "client_kwargs": {"scope": "openid profile email groups"},
        },
    }
]
# Somebody who logs in for the first time becomes a user; without one of the groups below, without any right.
AUTH_USER_REGISTRATION = True
AUTH_USER_REGISTRATION_ROLE = "Public"
AUTH_ROLES_SYNC_AT_LOGIN = True
AUTH_ROLES_MAPPING = {
    "streamflow-admins": ["Admin"],
    "streamflow-operators": ["Op"],
    "streamflow-users": ["User"],
    "streamflow-viewers": ["Viewer"],
}
