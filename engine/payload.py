"""How a value becomes bytes and back. Pure.

JSON by default, so that `redis-cli GET` is readable; or bytes, for a task that declares `codec="bytes"`. Never pickle.
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from engine.errors import BadValue

Codec = Literal["json", "bytes"]
MAX_VALUE = 64 * 1024 * 1024
"""Bytes that one pipe may hold."""


def _plain(value: Any) -> Any:
    """What JSON has no word for but scientific code returns: numpy scalars and arrays, pandas objects."""
    if isinstance(value, str):  # a subclass, such as `Date`
        return str.__str__(value)
    for method in ("tolist", "to_dict", "isoformat"):
        convert = getattr(value, method, None)
        if callable(convert):
            return convert()
    raise NotImplementedError(f"a {type(value).__name__} is not JSON")


_encoder = msgspec.json.Encoder(enc_hook=_plain, order="deterministic")
_decoder = msgspec.json.Decoder()


def encode_json(value: Any) -> bytes:
    """`value` as JSON, keys sorted, so that equal values are equal bytes. NaN and infinities become `null`.

    Raises:
        BadValue: it has no JSON form, or is larger than `MAX_VALUE`.
    """
    try:
        data = _encoder.encode(value)
    except (TypeError, NotImplementedError, ValueError, RecursionError, OverflowError) as e:
        raise BadValue(f"the value is not JSON: {e}") from None
    if len(data) > MAX_VALUE:
        raise BadValue(f"the value has {len(data):,} bytes; a pipe may hold {MAX_VALUE:,}")
    return data


def encode_bytes(value: Any) -> bytes:
    """`value`, which must be bytes already.

    Raises:
        BadValue: it is not, or it is larger than `MAX_VALUE`.
    """
    if not isinstance(value, bytes | bytearray | memoryview):
        raise BadValue(f"the task declares codec='bytes' and returned {type(value).__name__}")
    if len(value) > MAX_VALUE:
        raise BadValue(f"the value has {len(value):,} bytes; a pipe may hold {MAX_VALUE:,}")
    return bytes(value)


def decode_json(data: bytes) -> Any:
    """The value of JSON bytes.

    Raises:
        BadValue: they are not JSON.
    """
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise BadValue(f"not JSON: {e}") from None


def encoder(codec: Codec) -> Callable[[Any], bytes]:
    """The function that writes values of `codec`."""
    return encode_bytes if codec == "bytes" else encode_json


def decoder(codec: Codec) -> Callable[[bytes], Any]:
    """The function that reads values of `codec`."""
    return bytes if codec == "bytes" else decode_json
