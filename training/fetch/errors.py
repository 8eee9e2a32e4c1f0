"""What can go wrong on the way to law.go.kr.

BeopgilError
└── FetchError                no usable answer, after all attempts
    ├── KeyMissingError       no OC in the environment
    ├── AccessRefusedError    the API does not know this OC, this address or this browser: trying again is no use
    └── NoSuchBodyError       the API says that there is no such law or decision
"""

from __future__ import annotations

from app.errors import BeopgilError


class FetchError(BeopgilError):
    code = "fetch_error"


class KeyMissingError(FetchError):
    code = "key_missing"


class AccessRefusedError(FetchError):
    code = "access_refused"


class NoSuchBodyError(FetchError):
    code = "no_such_body"
