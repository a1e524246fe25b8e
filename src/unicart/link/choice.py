"""Which integrations a dialog offers."""

from unicart.connectors.kit import Facts
from unicart.connectors.registry import connector, offered_names
from unicart.store.links import Options

VERTICAL = "cart"


def offered(options: Options) -> list[Facts]:
    """The integrations that ``options`` leave, by their names as people know them."""
    if options.integration_type not in (None, VERTICAL):
        return []
    known = (connector(name).facts for name in offered_names())
    return sorted((facts for facts in known if _fits(facts, options)), key=lambda facts: facts.display_name.lower())


def _fits(facts: Facts, options: Options) -> bool:
    # Lists of both kinds exclude each other; who gives both is shown everything, as the vendor documents.
    listed = bool(options.allow) != bool(options.block)
    if listed and options.allow and facts.name not in options.allow:
        return False
    if listed and facts.name in options.block:
        return False
    if facts.install_method == "none" and not options.sandbox and facts.name not in options.allow:
        return False
    actions = {*(each.value for each in facts.functions), *(each.value for each in facts.write_functions)}
    return actions.issuperset(options.endpoints)


def chosen(options: Options) -> Facts | None:
    """The one integration that is connected without asking which; null if there is a choice."""
    found = offered(options)
    if options.integration is not None:
        return next((facts for facts in found if facts.name == options.integration), None)
    return found[0] if len(found) == 1 and options.allow else None


def initials(name: str) -> str:
    """One or two letters that stand for an integration."""
    words = name.split()
    capitals = [letter for letter in words[0] if letter.isupper()]
    if len(words) > 1:
        return f"{words[0][0]}{words[1][0]}".upper()
    return "".join(capitals[:2]) if len(capitals) > 1 else name[:2].capitalize()
