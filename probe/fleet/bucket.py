"""Evidence kept in a bucket of S3, or of anything that speaks its language (`AWS_ENDPOINT_URL`). Needs `probe-synthetics[s3]`.

boto3 blocks, so it is called in threads: evidence is rare, and nobody waits for it.
"""

import asyncio
from typing import Any, Final

from probe.errors import ProbeError

SECONDS: Final = 10
"""For a connection, and for a word from the bucket."""
PATIENCE: Final = 120.0
"""Seconds for one file, with the tries that boto3 makes itself."""
TYPES: Final = {
    ".png": "image/png",
    ".zip": "application/zip",
    ".har": "application/json",
    ".log": "text/plain; charset=utf-8",
}


def bucket_of(address: str) -> tuple[str, str]:
    """A bucket, and what the keys in it begin with.

    >>> bucket_of("s3://evidence/probe/shop/")
    ('evidence', 'probe/shop')
    """
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    return bucket, prefix.strip("/")


class BucketDepot:
    """Implements `Depot` in a bucket: `s3://BUCKET/PREFIX` gets `PREFIX/REGION/RUN/NAME`.

    Credentials and the bucket's own region are looked for where boto3 does: environment, files, the machine's role.
    """

    def __init__(self, address: str) -> None:
        self._bucket, self._prefix = bucket_of(address)
        self._address = address
        self._client: Any = None

    async def keep(self, region: str, run: str, name: str, body: bytes) -> None:
        """Keep a file of a run. `ProbeError` when the bucket does not take it."""
        key = "/".join(part for part in (self._prefix, region, run, name) if part)
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.to_thread(self._put, key, name, body)
        except TimeoutError:
            raise ProbeError(f"{self._address} did not take {name} in {PATIENCE:g} s") from None

    def _put(self, key: str, name: str, body: bytes) -> None:
        try:
            from boto3.session import Session
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError:
            raise ProbeError("evidence in a bucket needs boto3: pip install 'probe-synthetics[s3]'") from None
        try:
            if self._client is None:
                patience = Config(
                    connect_timeout=SECONDS, read_timeout=SECONDS, retries={"total_max_attempts": 3, "mode": "standard"}
                )
                self._client = Session().client("s3", config=patience)
            kind = TYPES.get(name[name.rfind(".") :], "application/octet-stream")
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType=kind)
        except (BotoCoreError, ClientError) as error:
            raise ProbeError(f"{self._address} does not take evidence: {error}") from error
