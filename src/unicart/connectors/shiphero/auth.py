"""ShipHero's way in: a refresh token buys access tokens, which live for 28 days.

The refresh token stays as it is; the vendor's page is https://developer.shiphero.com/getting-started/.
"""

import msgspec

from unicart.connectors.kit import BadAnswer, CredentialsRejected, PermissionMissing, RequestRefused, Session

REFRESH = "/auth/refresh"
UNACCEPTED = (400, 422)


class _Token(msgspec.Struct):
    access_token: str


async def login(session: Session, refresh_token: str) -> str:
    """Get an access token and let ``session`` send it; the header ``Date`` of the answer.

    Raises:
        CredentialsRejected: the refresh token is not accepted.
        RequestRefused: the URL is not ShipHero's, for instance.
    """
    session.headers.pop("authorization", None)
    try:
        reply = await session.request("POST", REFRESH, json={"refresh_token": refresh_token})
    except (CredentialsRejected, PermissionMissing, RequestRefused) as error:
        if isinstance(error, RequestRefused) and error.status not in UNACCEPTED:
            raise
        message = (
            f"{error.url} does not accept the refresh token. Create a new one for the developer user, and enter it on "
            "the connection."
        )
        if isinstance(error, PermissionMissing):
            message += (
                " If the token is good, ShipHero may refuse this server's network, as it does some of Google Cloud's."
            )
        raise CredentialsRejected(message, error.detail, error.url) from error
    try:
        answer = session.decode(reply, _Token)
    except BadAnswer as error:
        # Its detail would quote the answer, and a token with it.
        raise BadAnswer(error.message, url=error.url) from None
    if not answer.access_token:
        raise BadAnswer(f"{reply.url} sent an empty access token.", url=reply.url)
    session.headers["authorization"] = f"Bearer {answer.access_token}"
    return reply.headers.get("date", "")
