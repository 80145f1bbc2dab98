"""Kinds of values that a config is made of, and the strict section that holds them."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import CoreSchema, core_schema


class Section(BaseModel):
    """A section of a config. Unknown keys and values of another type are errors. The docstring
    under a key is its description."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class OneOf:
    """Has a text field take these names alone, as a Literal of names that are written out would."""

    def __init__(self, names: Iterable[str]):
        self.names = list(names)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.literal_schema(self.names)


def distinct(values: list) -> list:
    """The values, unless one stands twice. Raises ValueError."""
    for i, value in enumerate(values):
        if value in values[:i]:
            raise ValueError(f"{value:g} is there twice; each value may stand once")
    return values


#: A number over a number, as in 8/255.
FRACTION = r"^\s*(\d+(?:\.\d+)?)\s*/\s*(\d+(?:\.\d+)?)\s*$"


def _quotient(value: object) -> object:
    """The number that a fraction such as "8/255" stands for; any other value as it is.

    Raises ValueError where the fraction divides by zero.
    """
    parts = re.match(FRACTION, value) if isinstance(value, str) else None
    if parts is None:
        return value
    numerator, denominator = map(float, parts.groups())
    if denominator == 0:
        raise ValueError(f"found {value}, which divides by zero")
    return numerator / denominator


def _or_fraction(number: Any) -> BeforeValidator:
    """What has a field of the type ``number`` take a fraction such as "8/255", too."""
    text = Annotated[str, Field(pattern=FRACTION)]
    return BeforeValidator(_quotient, json_schema_input_type=number | text)


Norm = Literal["l2", "linf"]
Layer = Literal["stem", "layer1", "layer2", "layer3", "layer4"]
Stem = Literal["imagenet", "strided", "small"]
#: In the order of a network.
LAYERS: tuple[Layer, ...] = get_args(Layer)
#: Conditions within a layer, beside attacks on pixels: how clean activations are displaced.
DISPLACED = ("displaced-random", "displaced-covariance")
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
#: In units of pixels in [0, 1]: a radius, a radius that may be zero, and any value.
Radius = Annotated[Positive, _or_fraction(Positive)]
RadiusOrZero = Annotated[NonNegative, _or_fraction(NonNegative)]
Pixel = Annotated[float, _or_fraction(float)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Sweep = Annotated[list[Positive], Field(min_length=1), AfterValidator(distinct)]
Radii = Annotated[list[Radius], Field(min_length=1), AfterValidator(distinct)]
Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(distinct)]
NAME, SHA256, REVISION = r"^[a-z0-9][a-z0-9.-]*$", r"^[0-9a-f]{64}$", r"^[\w./-]+$"
#: A function of one's own.
MEASURE = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
#: What each pattern allows, in words.
WORDS = {
    FRACTION: "a fraction such as 8/255",
    NAME: "small letters, digits, dots and hyphens, a letter or digit first, since it names a folder",
    SHA256: "64 hexadecimal digits in small letters, as sha256sum prints them, or null",
    MEASURE: "MODULE:FUNCTION, as in mine.proxies:rank",
    REVISION: "a branch, tag or commit: letters, digits and _ . / -",
}
#: A name that becomes part of a path.
Name = Annotated[str, Field(pattern=NAME, max_length=60)]


def _without_default(schema: dict) -> None:
    del schema["default"]


#: A section that a file may leave out, and not leave empty; None in a config without it.
OPTIONAL: Any = Field(None, json_schema_extra=_without_default)
