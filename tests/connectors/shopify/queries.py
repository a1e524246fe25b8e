"""Every query text of the connector, and the excerpt of Shopify's schema that they need.

python -m connectors.shopify.queries     writes schema.graphql anew; needs Shopify's introspection result
"""

from typing import Any

from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    is_specified_scalar_type,
    parse,
    visit,
)

from connectors.shopify.shop import EXCERPT, vendors_schema
from unicart.connectors.shopify import client
from unicart.connectors.shopify.webhooks import SHIPPING_TOPICS, TOPICS

CURRENCIES_AND_COUNTRIES = {
    "CurrencyCode": {"EUR", "USD", "JPY", "KWD"},
    "CountryCode": {"PL", "US"},
}
INPUTS = {
    "WebhookSubscriptionInput": ("uri", "format"),
    "MetafieldsSetInput": ("ownerId", "namespace", "key", "type", "value", "compareDigest"),
    "FulfillmentInput": ("lineItemsByFulfillmentOrder", "notifyCustomer", "trackingInfo"),
    "FulfillmentOrderLineItemsInput": ("fulfillmentOrderId", "fulfillmentOrderLineItems"),
    "FulfillmentOrderLineItemInput": ("id", "quantity"),
    "FulfillmentTrackingInput": ("company", "number", "url"),
    "RefundInput": (
        "orderId",
        "currency",
        "note",
        "notify",
        "refundLineItems",
        "shipping",
        "transactions",
        "allowOverRefunding",
    ),
    "RefundLineItemInput": ("lineItemId", "quantity", "restockType", "locationId"),
    "ShippingRefundInput": ("amount", "fullRefund"),
    "OrderTransactionInput": ("orderId", "gateway", "kind", "amount", "parentId"),
    "InventoryAdjustQuantitiesInput": ("name", "reason", "referenceDocumentUri", "changes"),
    "InventoryChangeInput": ("inventoryItemId", "locationId", "delta", "changeFromQuantity"),
    "InventorySetQuantitiesInput": ("name", "reason", "referenceDocumentUri", "quantities"),
    "InventoryQuantityInput": ("inventoryItemId", "locationId", "quantity", "changeFromQuantity"),
}
DIRECTIVE = "directive @idempotent(key: String!) on FIELD"


def texts() -> dict[str, str]:
    """The queries by name."""
    found = {name: value for name, value in vars(client).items() if isinstance(value, str)}
    found = {name: text for name, text in found.items() if text.startswith(("query ", "mutation "))}
    found |= {name: value.query for name, value in vars(client).items() if isinstance(value, client.Listing)}
    found |= {".".join(key): text for key, text in client.MORE.items()}
    return found | {
        "bulk": client.bulk_query("created_at:>='2026-01-01T00:00:00Z'"),
        "bulk of all": client.bulk_query(""),
    }


class _Used(Visitor):
    """The fields, arguments and types that documents use."""

    def __init__(self, info: TypeInfo) -> None:
        super().__init__()
        self.info = info
        self.fields: dict[str, dict[str, set[str]]] = {}
        self.types: set[str] = set()

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        parent, definition = self.info.get_parent_type(), self.info.get_field_def()
        assert parent is not None
        assert definition is not None
        if node.name.value == "__typename":
            return
        given = self.fields.setdefault(parent.name, {}).setdefault(node.name.value, set())
        self._use(get_named_type(definition.type))
        for argument in node.arguments or ():
            given.add(argument.name.value)
            self._use(get_named_type(definition.args[argument.name.value].type))

    def _use(self, type: GraphQLNamedType) -> None:
        if type.name in self.types:
            return
        self.types.add(type.name)
        if isinstance(type, GraphQLInputObjectType):
            for name in INPUTS.get(type.name, ()):
                self._use(get_named_type(type.fields[name].type))


def excerpt() -> str:
    """The part of Shopify's schema that the queries use, without descriptions."""
    schema = vendors_schema()
    info = TypeInfo(schema)
    used = _Used(info)
    for text in texts().values():
        visit(parse(text), TypeInfoVisitor(info, used))
    # What a picture is in the builders; the queries only name its interface.
    used.fields["MediaImage"] = used.fields["Media"]
    names = sorted(used.types | used.fields.keys() | {"Node"})
    parts = ["schema { query: QueryRoot mutation: Mutation }", DIRECTIVE]
    parts += [
        _written(schema.type_map[name], used) for name in names if not is_specified_scalar_type(schema.type_map[name])
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _written(type: GraphQLNamedType, used: _Used) -> str:
    name = type.name
    if isinstance(type, GraphQLEnumType):
        small = CURRENCIES_AND_COUNTRIES.get(name) or (
            {*TOPICS, *SHIPPING_TOPICS} if name == "WebhookSubscriptionTopic" else set(type.values)
        )
        return f"enum {name} {{ {' '.join(value for value in type.values if value in small)} }}"
    if isinstance(type, GraphQLInputObjectType):
        fields = INPUTS.get(name, tuple(type.fields))
        return f"input {name} {{ {' '.join(f'{each}: {type.fields[each].type}' for each in fields)} }}"
    if not isinstance(type, GraphQLObjectType | GraphQLInterfaceType):
        return f"scalar {name}"
    node = name == "Node" or any(each.name == "Node" for each in getattr(type, "interfaces", ()))
    wanted = {**used.fields.get(name, {}), **({"id": set()} if node else {})}
    lines = [
        f"  {each}{_arguments(type.fields[each], given)}: {type.fields[each].type}"
        for each, given in sorted(wanted.items())
    ]
    interfaces = [each.name for each in getattr(type, "interfaces", ()) if each.name in ("Node", "Media")]
    also = f" implements {' & '.join(interfaces)}" if interfaces else ""
    kind = "interface" if isinstance(type, GraphQLInterfaceType) else "type"
    return f"{kind} {name}{also} {{\n" + "\n".join(lines) + "\n}"


def _arguments(field: GraphQLField, given: set[str]) -> str:
    shown = [f"{name}: {field.args[name].type}" for name in sorted(given)]
    return f"({', '.join(shown)})" if shown else ""


if __name__ == "__main__":
    EXCERPT.write_text(excerpt())
