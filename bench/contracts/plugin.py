"""What every plugin has."""

from __future__ import annotations

import abc
from typing import ClassVar, TypeVar

from pydantic import BaseModel

P = TypeVar("P", bound=BaseModel)


class Plugin(abc.ABC):
    """What every plugin has."""

    VERSION: ClassVar[int]
    """Enters the ids of trials: raised whenever the plugin's results change."""
