"""How a context is put before a mentor's model: which keys, in which order, under which names, within what budget.

Pure functions of what is stored: of a version of the mentor's prompting, and of a context with its verified keys.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from . import prompts
from .policies import EVERYTHING, NONE, Policy, View, masked, policy_of
from .secret_keys import KEEP
from .strict_json import spelled

OFF, SYSTEM_PROMPT, USER_BLOCK = "off", "system_prompt", "user_block"
OTHERS: Final = "*"  # in the list of keys: all that it does not name
BYTES_PER_TOKEN: Final = 4  # what a budget counts by; no tokenizer is asked
# Why a key of the context is not in the block.
HIDDEN, NOT_LISTED, OVER_BUDGET = "hidden", "not_listed", "over_budget"
NOT_SHOWN: Final = "[hidden]"  # what stands for a value that a reader may not see


class Prompting(Protocol):
    """The fields of a mentor, or of one of its versions, that are read here."""

    context_schema: Any
    schema_mode: Any
    context_keys: Any
    context_labels: Any
    context_budget: Any
    mark_verified: Any


@dataclass(frozen=True, slots=True)
class Plan:
    """How one version of a mentor does it."""

    policy: Policy = NONE
    keys: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    budget: int | None = None
    mark_verified: bool = False

    @classmethod
    def of(cls, prompting: Prompting, secrets: str = KEEP) -> Plan:
        """`secrets` are what the mentor's tenant says of them: it matters to a write, and to no prompt."""
        return cls(
            policy_of(prompting.context_schema, prompting.schema_mode, secrets),
            tuple(prompting.context_keys),
            prompting.context_labels,
            prompting.context_budget,
            prompting.mark_verified,
        )

    @property
    def is_plain(self) -> bool:
        """Whether all of a context is shown, as it is."""
        listed = self.keys or self.labels or self.budget is not None
        return not (listed or self.mark_verified or self.policy.view("model"))


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the model is given of a context: the block, the values for placeholders, and what was left out, why."""

    how: str = USER_BLOCK
    block: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, compare=False)
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def in_message(self) -> str:
        return self.block if self.how == USER_BLOCK else ""

    @property
    def in_system_prompt(self) -> str:
        return self.block if self.how == SYSTEM_PROMPT else ""


def deliver(
    plan: Plan, how: str, text: str, verified_keys: Collection[str] = (), shown: View = EVERYTHING
) -> Delivered:
    """`text` is the context's compact JSON; `verified_keys` are asked for only where the plan marks them.

    `shown` is the view of somebody who reads it later: what they do not see stands there as [hidden].
    """
    if how == OFF:
        return Delivered(how)
    if plan.is_plain and not shown:
        return Delivered(how, prompts.context_block(text), spelled(text))
    context = spelled(text)
    values = plan.policy.view("model").value(context)
    left_out = {key: HIDDEN for key in context if key not in values}
    listed = list(_listed(plan.keys, values))
    left_out |= {key: NOT_LISTED for key in values if key not in listed}
    lines = {key: _line(plan, key, values[key], key in verified_keys) for key in listed}
    kept = _within(plan.budget, lines)
    left_out |= {key: OVER_BUDGET for key in lines if key not in kept}
    if shown:
        values = _shown(values, shown, plan.policy.view("model"))
        kept = {key: _line(plan, key, values[key], key in verified_keys) for key in kept}
    return Delivered(how, prompts.block_of(list(kept.values())), values, left_out)


def _shown(values: Mapping[str, Any], shown: View, given: View) -> dict[str, Any]:
    """The model's values as somebody else may read them; for placeholders also every path into one of them."""
    masks = {key: masked(value) for key, value in values.items() if key in shown.masked - given.masked}
    kept_back = {**masks, **dict.fromkeys(shown.hidden & values.keys(), NOT_SHOWN)}
    paths = (path for key in kept_back for path in _paths(key, values[key]) if path not in values)
    return {**values, **dict.fromkeys(paths, NOT_SHOWN), **kept_back}


def _paths(path: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield f"{path}.{key}"
            yield from _paths(f"{path}.{key}", item)


def _listed(keys: tuple[str, ...], values: Mapping[str, Any]) -> Iterator[str]:
    """The keys in their order: those of the list, and where it says so the others."""
    for key in keys or (OTHERS,):
        if key != OTHERS:
            yield from (key,) if key in values else ()
        else:
            yield from (other for other in values if other not in keys)


def _line(plan: Plan, key: str, value: Any, verified: bool) -> str:
    label = plan.labels.get(key, key)
    return prompts.marked_line(label, value, verified) if plan.mark_verified else prompts.line(label, value)


def _within(budget: int | None, lines: dict[str, str]) -> dict[str, str]:
    """The lines that fit, the first before the others; one that is too long makes room for the next."""
    if budget is None:
        return lines
    kept, left = {}, budget * BYTES_PER_TOKEN
    for key, line in lines.items():
        size = len(line.encode()) + 1
        if size <= left:
            kept[key], left = line, left - size
    return kept
