"""House rules that import-linter does not know by itself; where they hold is said in pyproject.toml, under it."""

from __future__ import annotations

from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class RulesContract(Contract):
    """Rules can be tested on paper: they import no AWS, no HTTP, no clock, and of their own room only other rules.

    `modules` are the rules; one that does not exist is reported, so that a rename does not end the protection.
    `forbidden` is what they must not import. Only what a rule imports itself counts: a kernel module may offer both
    plain values and ways to store them.
    """

    type_name = "rules"

    # A field describes itself on the class and holds its value on the instance.
    modules: Any = fields.SetField(subfield=fields.StringField())
    forbidden: Any = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Every import that a rule must not have, as a sentence."""
        complaints = []
        for rule in sorted(self.modules):
            if rule not in graph.modules:
                complaints.append(f"{rule} is listed as rules and does not exist")
                continue
            room = rule.split(".")[0]
            for imported in sorted(graph.find_modules_directly_imported_by(rule)):
                if imported in self.forbidden:
                    complaints.append(f"{rule} imports {imported}")
                elif imported.startswith(f"{room}.") and imported not in self.modules:
                    complaints.append(f"{rule} imports {imported}, which is not rules")
        return ContractCheck(kept=not complaints, metadata={"complaints": complaints})

    def render_broken_contract(self, check: Any) -> None:
        """Print them."""
        for complaint in check.metadata["complaints"]:
            output.print_error(complaint)
