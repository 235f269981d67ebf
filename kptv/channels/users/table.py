"""All users at one time, found in no time; immutable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kptv.channels.users.model import Rights, SecretKind, User, UserSecret

Found = tuple[User, UserSecret]


class UserTable:
    """The users, by all that they are asked for with."""

    __slots__ = ("_by_digest", "_by_id", "_by_name", "_users")

    def __init__(self, users: Iterable[User] = ()) -> None:
        self._users = tuple(users)
        self._by_id = {user.id: user for user in self._users}
        self._by_name = {user.name: user for user in self._users}
        self._by_digest: dict[bytes, Found] = {
            secret.digest: (user, secret)
            for user in self._users
            for secret in user.secrets
            if secret.is_good and secret.kind is SecretKind.MADE
        }

    def __repr__(self) -> str:
        return f"<UserTable users={len(self)}>"

    def __len__(self) -> int:
        return len(self._users)

    def __iter__(self) -> Iterator[User]:
        return iter(self._users)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UserTable) and self._users == other._users

    __hash__ = None  # type: ignore[assignment]

    def by_id(self, identifier: int) -> User | None:
        """The user with this id."""
        return self._by_id.get(identifier)

    def by_name(self, name: str) -> User | None:
        """The user of this name, in any case."""
        return self._by_name.get(name.lower())

    def by_digest(self, digest: bytes) -> Found | None:
        """Whose made secret it is that has this digest; None also for one that was revoked."""
        return self._by_digest.get(digest)

    def still(self, identifier: int, number: int) -> User | None:
        """The user with this id, as they are now, if their secret of this number is good still."""
        user = self._by_id.get(identifier)
        if user is None:
            return None
        is_good = any(each.number == number and each.is_good for each in user.secrets)
        return user if is_good else None

    def rights_in_use(self) -> frozenset[Rights]:
        """What users may see, each once; of all users, whether they are let in now or not."""
        return frozenset(user.rights for user in self._users)
