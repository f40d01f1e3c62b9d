"""systemd's exposure scores of the product's units, out of what `systemd-analyze security` says."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping

from harden.product import Product
from results.base.errors import InfrastructureError
from results.judges import Exposure
from validate.judges.answers import Wanted

COMMAND = ("systemd-analyze", "security", "--no-pager", "--json=short")
LIMIT = 1 << 20


def parse_scores(raw: bytes) -> dict[str, float]:
    """Unit to score. Raises `InfrastructureError` for anything that systemd-analyze does not say."""
    try:
        rows = json.loads(raw)
        scores = {str(row["unit"])[:256]: float(row["exposure"]) for row in rows}
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise InfrastructureError(f"systemd-analyze security: not its JSON: {str(error)[:200]!a}") from None
    wrong = [unit for unit, score in scores.items() if not (math.isfinite(score) and 0 <= score <= 10)]
    if wrong:
        raise InfrastructureError(f"systemd-analyze security: {wrong[0]!a} has no score from 0 to 10")
    return scores


def exposures(
    product: Product, wanted: Wanted, child: str, before: Mapping[str, float], after: Mapping[str, float]
) -> Iterator[Exposure]:
    """Each unit of the product (of a template: the child's instance), then the others that something is wanted of."""
    for name, unit in product.units.items():
        full = unit.name.replace("@.", f"@{child}.")
        yield Exposure(unit=full, before=before.get(full), after=after.get(full), wanted=wanted.exposure.get(name))
    for name, most in wanted.exposure.items():
        if name not in product.units and (name in before or name in after):
            yield Exposure(unit=name, before=before.get(name), after=after.get(name), wanted=most)
