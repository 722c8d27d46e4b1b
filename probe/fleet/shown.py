"""Evidence of a fleet, to be looked at: from the database, or the bucket, that it is shipped to; else what lies on this node."""

from typing import Any, Final

from sqlalchemy import text

from probe.core.run import Run
from probe.errors import StoreUnavailable
from probe.fleet.bucket import bucket_of
from probe.store.reader import Reader
from probe.view.evidence import LARGEST, LocalEvidence, is_plain, names_of

CONNECT: Final = 3
"""Seconds for a connection to the bucket: somebody waits for the page."""
ANSWER: Final = 10
"""Seconds for a word from it."""
_NAMES: Final = text("SELECT name FROM probe.evidence WHERE region = :region AND run = :run")
_BODY: Final = text("SELECT body FROM probe.evidence WHERE region = :region AND run = :run AND name = :name")


class DatabaseShelf:
    """Implements `EvidenceFiles` in the fleet's database."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def names(self, run: Run) -> frozenset[str]:
        """The names of the files of a run that were shipped."""
        given = {"region": run.region, "run": run.id}
        found = self._reader.read(lambda connection: connection.execute(_NAMES, given).scalars().all())
        return names_of(run) & frozenset(found)

    def read(self, run: Run, name: str) -> bytes | None:
        """One of them; `None`: it is not there."""
        if name not in names_of(run):
            return None
        given = {"region": run.region, "run": run.id, "name": name}
        found = self._reader.read(lambda connection: connection.execute(_BODY, given).scalar())
        return None if found is None else bytes(found)


class BucketShelf:
    """Implements `EvidenceFiles` in a bucket: what `BucketDepot` has put there."""

    def __init__(self, address: str) -> None:
        self._bucket, self._prefix = bucket_of(address)
        self._address = address
        self._client: Any = None

    def names(self, run: Run) -> frozenset[str]:
        """The names of the files of a run that are there. Who may not list the bucket believes that all are."""
        wanted = names_of(run)
        if not wanted or not (is_plain(run.region) and is_plain(run.id)):
            return frozenset()
        prefix = self._key(run, "")
        answer = self._ask(
            "list_objects_v2",
            Prefix=prefix,
        )
        if answer is None:
            return wanted
        return wanted & {str(found["Key"]).removeprefix(prefix) for found in answer.get("Contents", [])}

    def read(self, run: Run, name: str) -> bytes | None:
        """One of them; `None`: it is not there, or it is larger than any that we make."""
        if name not in names_of(run) or not (is_plain(run.region) and is_plain(run.id)):
            return None
        answer = self._ask(
            "get_object",
            Key=self._key(run, name),
        )
        if answer is None or answer["ContentLength"] > LARGEST:
            return None
        return bytes(answer["Body"].read())

    def _key(self, run: Run, name: str) -> str:
        return "/".join((*([self._prefix] if self._prefix else []), run.region, run.id, name))

    def _ask(self, what: str, **given: Any) -> Any:
        """What the bucket answers; `None`: it is not there, or not for us. `StoreUnavailable`: it cannot be asked."""
        try:
            from boto3.session import Session
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError:
            raise StoreUnavailable(
                "evidence in a bucket needs boto3: pip install 'probe-synthetics[s3]'", lasting=True
            ) from None
        try:
            if self._client is None:
                patience = Config(connect_timeout=CONNECT, read_timeout=ANSWER, retries={"total_max_attempts": 2})
                self._client = Session().client("s3", config=patience)
            return getattr(self._client, what)(Bucket=self._bucket, **given)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in {"NoSuchKey", "AccessDenied", "403", "404"}:
                return None
            raise StoreUnavailable(f"{self._address} does not show evidence: {error}") from error
        except BotoCoreError as error:
            raise StoreUnavailable(f"{self._address} does not show evidence: {error}") from error


class FleetEvidence:
    """Implements `EvidenceFiles` for a fleet: where evidence is shipped to (`place` as in `Fleet.evidence`), then this node's own."""

    def __init__(self, reader: Reader, place: str, local: LocalEvidence) -> None:
        self._local = local
        self._shelf: DatabaseShelf | BucketShelf | None = None
        if place == "database":
            self._shelf = DatabaseShelf(reader)
        elif place.startswith("s3://"):
            self._shelf = BucketShelf(place)

    def names(self, run: Run) -> frozenset[str]:
        """The names of the files of a run that can be had from here. What was not shipped yet may lie here, too."""
        own = self._local.names(run)
        if self._shelf is None or own == names_of(run):
            return own
        return own | self._shelf.names(run)

    def read(self, run: Run, name: str) -> bytes | None:
        """One of them; `None`: it is not there (any more)."""
        own = self._local.read(run, name)
        if own is not None or self._shelf is None:
            return own
        return self._shelf.read(run, name)
