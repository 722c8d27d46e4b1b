"""The cache: what the database found expensive, kept ready."""

from typing import Any


class Cache:
    """Keys and values in memory. The catalogue never changes while a shop runs, so nothing ever expires."""

    def __init__(self) -> None:
        self._values: dict[str, object] = {}

    async def answer(self, question: dict[str, Any]) -> object:
        """`get` (None if it is not there) or `set`."""
        if question["op"] == "set":
            self._values[question["key"]] = question["value"]
            return None
        return self._values.get(question["key"])

    def lose(self) -> None:
        """Forget everything, as a restarted cache has."""
        self._values.clear()
