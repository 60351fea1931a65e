"""How a value becomes bytes and back. Pure.

JSON by default, so that `redis-cli GET` is readable; or bytes, for a task that declares `codec="bytes"`. Never pickle.
"""

import functools
import os
import re
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from engine.errors import BadValue

Codec = Literal["json", "bytes"]
USUAL = 64 * 1024 * 1024
MOST = 512 * 1024 * 1024
"""Bytes that Redis takes as one value."""
_BYTES = (bytes, bytearray, memoryview)
_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "kB": 1000, "MB": 1_000_000}


@functools.cache
def max_value() -> int:
    """Bytes that one pipe may hold: what `WAVEDECK_MAX_VALUE` says (`5000000`, `100MiB`), 64 MiB when it is not set.

    Raises:
        BadValue: it says something else, or more than Redis takes.
    """
    told = os.environ.get("WAVEDECK_MAX_VALUE", "")
    if not told:
        return USUAL
    found = re.fullmatch(r"([0-9]{1,12}) ?(|KiB|MiB|kB|MB)", told)
    size = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < size <= MOST:
        raise BadValue(f"WAVEDECK_MAX_VALUE {told!r} is no size between 1 byte and 512MiB, such as 5000000, 100MB or 64MiB")
    return size


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
        BadValue: it has no JSON form.
    """
    if isinstance(value, _BYTES):
        raise BadValue(f"{type(value).__name__} are not JSON: declare codec='bytes' (a task), or return text")
    try:
        return _encoder.encode(value)
    except (TypeError, NotImplementedError, ValueError, RecursionError, OverflowError) as e:
        raise BadValue(f"the value is not JSON: {e}") from None


def _encode_pipe(value: Any) -> bytes:
    data = encode_json(value)
    if len(data) > max_value():
        _check_size(data)
    return data


def _check_size(data: bytes | bytearray | memoryview) -> None:
    size = data.nbytes if isinstance(data, memoryview) else len(data)
    if size > max_value():
        raise BadValue(f"the value has {size:,} bytes; a pipe may hold {max_value():,} (WAVEDECK_MAX_VALUE)")


def encode_bytes(value: Any) -> bytes:
    """`value`, which must be bytes already.

    Raises:
        BadValue: it is not, or it is larger than `max_value()`.
    """
    if not isinstance(value, _BYTES):
        raise BadValue(f"the task declares codec='bytes' and returned {type(value).__name__}")
    _check_size(value)
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
    """The function that makes values of `codec` bytes for a pipe. It raises `BadValue` for what has no such form, or is larger than
    `max_value()`."""
    return encode_bytes if codec == "bytes" else _encode_pipe


def decoder(codec: Codec) -> Callable[[bytes], Any]:
    """The function that reads values of `codec`."""
    return bytes if codec == "bytes" else decode_json
