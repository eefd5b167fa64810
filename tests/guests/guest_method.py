"""A method of another package: how evenly attention falls on the patches of a block."""

from dataclasses import dataclass

from fiqa import evidence
from fiqa.methods import Method
from fiqa.specs import option, whole


@dataclass(frozen=True, kw_only=True)
class Evenness(Method):
    name, summary = "evenness", "how evenly the patches of a block receive attention"
    block: int = option(1, read=whole, expects="a whole number")

    def needs(self):
        return (evidence.received(self.block),)

    def score(self, found):
        return -found[self.needs()[0]].std(axis=1)

    def patch_map(self, found):
        return found.on_grid(found[self.needs()[0]])
