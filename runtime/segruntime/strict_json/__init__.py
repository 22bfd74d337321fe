"""JSON from outside: parsed strictly, then read field by field; whatever is wrong with it is a ValueError in one line."""

from segruntime.strict_json.fields import Fields, shown
from segruntime.strict_json.parse import parse_json, read_json

__all__ = ["Fields", "parse_json", "read_json", "shown"]
