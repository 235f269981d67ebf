"""What the commands say of users."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from pathlib import Path

from kptv.channels.users.links import Links
from kptv.channels.users.model import Standing, User, UserSecret
from kptv.channels.users.times import told_end
from kptv.columns import columns, many, paragraphs
from kptv.command import command_line


def told_user(user: User, now: float, zone: tzinfo | None = None) -> str:
    """What a user may, in one sentence."""
    parts = [_streams(user), _sees(user)]
    if user.expires is not None:
        over = ", which is over" if user.expires <= now else ""
        parts.append(f"until {told_end(user.expires, zone)}{over}")
    if not user.enabled:
        parts.append("disabled")
    return f"{user.name}: {'; '.join(parts)}."


def told_links(links: Links, is_base_set: bool) -> Iterator[str]:
    """What to type into applications."""
    yield "This is shown once. Whoever has it watches in this name:"
    yield ""
    yield f"  List       {links.list_url}"  # never cut, however long
    yield f"  Guide      {links.guide_url}"
    yield f"  Xtream     server {links.server}"
    yield f"             user name {links.name}"
    yield f"             password {links.secret}"
    yield f"  HDHomeRun  {links.tuner_url}"
    if not is_base_set:
        yield ""
        yield from paragraphs(
            [
                "BASE_URL is not set: in place of localhost, type the address of this machine as"
                " the applications reach it."
            ],
            0,
        )


def told_groups(groups: Sequence[str] | None) -> Iterator[str]:
    """A hint for whoever misspelt one; here nobody knows which groups the lists have."""
    if groups:
        yield "A group that no list has shows nothing. The People view offers those that there are."


def told_closing(folder: Path, *, has_page: bool, has_token: bool) -> Iterator[str]:
    """What the first user changes for everybody else; ``folder`` is where users are kept."""
    yield ""
    yield f"This closes the proxy that has its DATA_DIR in {folder}"  # never cut, however long
    yield "and no other. A running one takes it up within 2 seconds; from then on:"
    texts = [
        "Lists, guides, streams, Xtream and HDHomeRun want a user's link or login. Streams that"
        " nobody logged in for end.",
        "/metrics wants METRICS_TOKEN or ADMIN_TOKEN"
        + ("; the status page and the API want ADMIN_TOKEN." if has_page else "."),
    ]
    if not has_token:
        texts.append(
            "ADMIN_TOKEN is not set: without it nobody can open these. Set it, and restart."
        )
    texts.append(
        "It stays so without any user left. To let everybody in again: "
        + command_line("kptv.users open")
    )
    yield from paragraphs(f"- {text}" for text in texts)


def told_users(users: Sequence[User], now: float, zone: tzinfo | None = None) -> Iterator[str]:
    """A line for each user, and one for each secret of theirs."""
    rows = [("NAME", "STANDING", "STREAMS", "SEES", "UNTIL", "NOTE")]
    for user in users:
        rows.append(
            (
                user.name,
                _standing(user, now),
                f"{user.max_streams or 'any'}{', refuses' if user.refuses else ''}",
                _sees(user),
                told_end(user.expires, zone),
                user.note,
            )
        )
    yield from columns(rows, 0, 30)
    yield ""
    yield from columns([("SECRET", "OF", "KIND", "SINCE", "LABEL"), *_secrets(users, zone)], 0)


def told_login(is_on: bool, is_required: bool) -> str:
    """Whether a login is needed, and why."""
    if is_required:
        return "A login is needed: REQUIRE_LOGIN says so."
    return "A login is needed." if is_on else "No login is needed: everybody is let in."


def _secrets(users: Sequence[User], zone: tzinfo | None) -> Iterator[tuple[str, ...]]:
    for user in users:
        for secret in user.secrets:
            if secret.is_good:
                yield _secret(user, secret, zone)


def _secret(user: User, secret: UserSecret, zone: tzinfo | None) -> tuple[str, ...]:
    since = told_end(secret.created, zone)[:10]
    return str(secret.number), user.name, secret.kind.value, since, secret.label


def _standing(user: User, now: float) -> str:
    standing = user.standing(now)
    return "active" if standing is Standing.ACTIVE else standing.value.lower()


def _streams(user: User) -> str:
    if not user.max_streams:
        return "any number of streams"
    beyond = "one more is refused" if user.refuses else "one more ends the oldest"
    return f"{many(user.max_streams, 'stream')}, {beyond}"


def _sees(user: User) -> str:
    what = f"profile {user.profile}" if user.profile else ""
    groups = "" if user.groups is None else f"groups {', '.join(user.groups)}"
    return " of ".join(filter(None, (groups, what))) or "all channels"
