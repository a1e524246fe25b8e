"""All routes of the link dialog."""

from starlette.routing import BaseRoute

from unicart.link import dialog, oauth, script
from unicart.link.connecting import Connecting
from unicart.link.pages import Pages
from unicart.settings import Settings
from unicart.store.database import Database
from unicart.store.secrets import Vault


def routes(database: Database, vault: Vault, settings: Settings) -> list[BaseRoute]:
    """``/main.js`` and what lies below ``/link``, but for the routes that need an API key."""
    pages = Pages()
    connecting = Connecting(database, vault, settings)
    authorizations = oauth.Authorizations(database, vault, settings, connecting, pages)
    return [
        *script.routes(settings.public_url),
        *dialog.routes(database, settings, connecting, authorizations, pages),
        *authorizations.routes(),
    ]
