"""The types of single values: what an administrator may write, and what to say when it is wrong.

A wrong value raises `not_right(problem, remedy)`; gateway.config.faults makes a Fault of it.
"""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, SecretStr
from pydantic_core import PydanticCustomError

from gateway.dicom import charsets, syntaxes
from gateway.dicom.vrs import KNOWN

FAULT_TYPE = "gateway_fault"


def not_right(problem: str, remedy: str) -> PydanticCustomError:
    """The error of a validator of ours; `problem` follows the value: '... is not a network'."""
    return PydanticCustomError(FAULT_TYPE, "{problem}", {"problem": problem, "remedy": remedy})


def _ae_title(text: str) -> str:
    """PS3.5 6.2, VR AE: default repertoire, no backslash, not blank; outer spaces mean nothing."""
    title = text.strip(" ")
    if 1 <= len(title) <= 16 and title.isascii() and title.isprintable() and "\\" not in title:
        return title
    raise not_right("is not an AE title", "1 to 16 ASCII characters, no backslash")


def _host(text: str) -> str:
    if text and not any(char.isspace() or char in "/@" for char in text):
        return text
    raise not_right("is not a host", "a name or an address, without a port")


def _network(value: object) -> IPv4Network | IPv6Network:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    remedy = 'an address such as "10.1.2.3" or a network such as "10.1.0.0/16"'
    if not isinstance(value, str):
        raise not_right("is not a network", remedy)
    try:
        return ip_network(value)
    except ValueError:
        raise not_right("is not a network", _network_meant(value) or remedy) from None


def _network_meant(text: str) -> str:
    """What an address with bits behind its mask should have been: 10.0.0.1/8 is in 10.0.0.0/8."""
    try:
        return f'did you mean "{ip_network(text, strict=False)}"?'
    except ValueError:
        return ""


def _syntax_name(text: str) -> str:
    try:
        return syntaxes.lookup(text).keyword
    except syntaxes.UnknownTransferSyntax:
        raise not_right(
            "is not a transfer syntax",
            "a UID, a keyword such as JPEG2000Lossless or a short name such as j2k",
        ) from None


def _syntax_pattern(text: str) -> str:
    if syntaxes.matching([text]):
        return text
    raise not_right(
        "matches no transfer syntax",
        "a UID, a keyword such as JPEG2000Lossless or a short name such as j2k; * and ? are"
        " wildcards",
    )


def _not_empty(patterns: tuple[str, ...]) -> tuple[str, ...]:
    if patterns:
        return patterns
    raise not_right("names no syntax: nothing could be sent", '["*"] sends what is stored')


def _destination_name(text: str) -> str:
    if text and text == text.strip() and text.isprintable():
        return text
    raise not_right("is not a name for a destination", "printable text without spaces at its ends")


def _url(text: str) -> str:
    if re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", text):
        return text if text.endswith("/") else f"{text}/"
    raise not_right("is not the URL of a peer", "http://... or https://...")


def _element_tag(text: str) -> str:
    """`gggg,eeee` in lower case; `gggg,ee` in a block that a private creator reserves."""
    tag = re.fullmatch(r"([0-9a-f]{4})[,-]?((?:[0-9a-f]{2}){1,2})", text.strip().lower())
    if tag:
        return f"{tag[1]},{tag[2]}"
    raise not_right("is not a tag", "group and element in hex digits: gggg,eeee")


def _value_representation(text: str) -> str:
    if text in KNOWN:
        return text
    raise not_right("is not a value representation", "two capital letters, as in PS3.5 6.2")


def _password(password: SecretStr) -> SecretStr:
    """An empty one is a slip, as of a variable that is not set."""
    if password.get_secret_value():
        return password
    raise not_right("is not a password", "at least one character")


def _encoding(name: str) -> str:
    if name in charsets.ENCODINGS:
        return name
    raise not_right("is not an encoding", f"known are {', '.join(charsets.ENCODINGS)}")


# A week: beyond it a time limit is a mistake, and far beyond it the socket layer overflows.
LONGEST_S = 7 * 24 * 3600

AeTitle = Annotated[str, AfterValidator(_ae_title)]
Host = Annotated[str, AfterValidator(_host)]
Port = Annotated[int, Field(ge=1, le=65535)]
ListeningPort = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=LONGEST_S, allow_inf_nan=False)]
SecondsOrZero = Annotated[float, Field(ge=0, le=LONGEST_S, allow_inf_nan=False)]
Network = Annotated[
    IPv4Network | IPv6Network,
    PlainValidator(_network, json_schema_input_type=str),
    PlainSerializer(str, return_type=str),
]
SyntaxPattern = Annotated[str, AfterValidator(_syntax_pattern)]
SyntaxName = Annotated[str, AfterValidator(_syntax_name)]
SyntaxLadder = Annotated[tuple[SyntaxPattern, ...], AfterValidator(_not_empty)]
Encoding = Annotated[str, AfterValidator(_encoding)]
Password = Annotated[SecretStr, AfterValidator(_password)]
DestinationName = Annotated[str, AfterValidator(_destination_name)]
Url = Annotated[str, AfterValidator(_url)]
ElementTag = Annotated[str, AfterValidator(_element_tag)]
ValueRepresentation = Annotated[str, AfterValidator(_value_representation)]
