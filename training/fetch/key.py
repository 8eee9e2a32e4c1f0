"""The OC of law.go.kr: from the environment only, and in no text that leaves the program."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import quote

from training.fetch.errors import KeyMissingError

VARIABLE = "BEOPGIL_LAW_GO_KR_OC"
MASK = "***"


class Key:
    """Shows itself as ***, in its repr too. `value` is for the URL that is sent, and for nothing else."""

    __slots__ = ("_echo", "value")

    def __init__(self, value: str) -> None:
        self.value = value
        forms = "|".join(sorted({re.escape(value), re.escape(quote(value, safe=""))}))
        self._echo = re.compile(rf"(\bOC\W{{1,4}})(?:{forms})(?![\w.%-])".encode(), re.IGNORECASE)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Key:
        """Raises KeyMissingError where the variable is not set."""
        value = (os.environ if environ is None else environ).get(VARIABLE, "").strip()
        if not value:
            raise KeyMissingError(
                f"{VARIABLE} is not set: set it to the OC (the part before @ of your e-mail address) that you "
                "registered at https://open.law.go.kr, with the address of this machine"
            )
        return cls(value)

    def __repr__(self) -> str:
        return f"Key({MASK})"

    def mask(self, text: str) -> str:
        """A message without the key."""
        return text.replace(quote(self.value, safe=""), MASK).replace(self.value, MASK)

    def mask_body(self, body: bytes) -> bytes:
        """A body without the key, which lists repeat in their links. Other text that happens to be equal stays."""
        return self._echo.sub(rb"\1" + MASK.encode(), body)
