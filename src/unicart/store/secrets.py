"""Secrets: encryption of credentials at rest, hashes of keys and tokens, and the secret that signs page tokens."""

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

KEY_FILE = "unicart.key"


class SecretError(Exception):
    """The encryption key is missing, malformed or not the one that the data was written with."""


class Vault:
    """Everything that needs the secret key.

    ``key`` is one or several url-safe base64 keys of 32 bytes, comma-separated; the first encrypts and signs, the others
    only decrypt what was written before a rotation.
    """

    def __init__(self, key: str) -> None:
        keys = [part.strip() for part in key.split(",") if part.strip()]
        try:
            each = [Fernet(part) for part in keys]
            self._first, self._fernet = each[0], MultiFernet(each)
        except IndexError:
            raise SecretError("The secret key is empty. Make one with: unicart secret-key") from None
        except ValueError as error:
            raise SecretError(
                "The secret key is not 32 bytes in url-safe base64. Make one with: unicart secret-key"
            ) from error
        signing = [hmac.digest(base64.urlsafe_b64decode(part), b"unicart page token", "sha256") for part in keys]
        self.signing_key, self.verifying_keys = signing[0], tuple(signing)

    def encrypt(self, value: dict[str, str]) -> bytes:
        """``value`` as ciphertext."""
        return self._fernet.encrypt(msgspec.json.encode(value))

    def is_current(self, ciphertext: bytes) -> bool:
        """Whether ``ciphertext`` was written with the first key."""
        try:
            self._first.decrypt(ciphertext)
        except InvalidToken:
            return False
        return True

    def rewrite(self, ciphertext: bytes) -> bytes:
        """``ciphertext``, written with any of the keys, as the first key writes it.

        Raises:
            SecretError: it was written with another key.
        """
        try:
            return self._fernet.rotate(ciphertext)
        except InvalidToken:
            raise SecretError("A secret in the store was written with a key that is not among those set.") from None

    def decrypt(self, ciphertext: bytes) -> dict[str, str]:
        """What `encrypt` was given.

        Raises:
            SecretError: it was written with another key.
        """
        try:
            return msgspec.json.decode(self._fernet.decrypt(ciphertext), type=dict[str, str])
        except InvalidToken:
            raise SecretError(
                "Credentials in the store were written with another secret key. "
                "Set UNICART_SECRET_KEY to that key, or put its key file back."
            ) from None


def new_key() -> str:
    """A fresh secret key."""
    return Fernet.generate_key().decode()


def open_vault(secret_key: str | None, data_dir: Path) -> Vault:
    """The vault of ``secret_key``, else of the key file in ``data_dir``, which is made (mode 0600) at first use."""
    if secret_key:
        return Vault(secret_key)
    path = data_dir / KEY_FILE
    if not path.exists():
        _write_key_file(path)
    return Vault(path.read_text())


def _write_key_file(path: Path) -> None:
    """Make ``path`` whole or not at all, so that a process that starts at the same time never reads half a key."""
    draft = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(new_key())
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()


def new_secret(prefix: str) -> str:
    """A random secret of 256 bits that is recognizable by its prefix."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def new_webhook_secret() -> str:
    """A random secret of 256 bits, as Standard Webhooks writes it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def hash_secret(secret: str) -> str:
    """The hash under which a key or token is stored. Secrets are random and long, so a plain SHA-256 is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
