"""Fills an empty Vendure with two channels, a catalogue, stock and orders in every state."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from live.vendure.platform import DEFAULT_CHANNEL, Shopper, Vendure

YEN_CHANNEL = "yen"
ADDRESS = {
    "fullName": "Jane Doe",
    "company": "Doe & Søns",
    "streetLine1": "12 Maple Street",
    "streetLine2": "Apt 4",
    "city": "New York",
    "province": "NY",
    "postalCode": "10001",
    "countryCode": "US",
    "phoneNumber": "+1 212 555 0101",
}
TOKYO = {
    "fullName": "山田 太郎 🛒",
    "streetLine1": "丸の内1丁目",
    "city": "東京都",
    "postalCode": "100-0001",
    "countryCode": "JP",
}
ORDER = "id code state lines { id quantity productVariant { id } } payments { id amount } fulfillments { id }"


@dataclass
class Shop:
    """What was made. ``variants`` are variant ids by SKU; ``orders`` are ids of placed orders by what they stand for."""

    platform: Vendure
    variants: dict[str, str] = field(default_factory=dict)
    orders: dict[str, str] = field(default_factory=dict)
    carts: dict[str, str] = field(default_factory=dict)
    locations: list[str] = field(default_factory=list)
    channels: dict[str, str] = field(default_factory=dict)

    def order(self, name: str) -> Any:
        """The order's ids and state as the Admin API tells them."""
        return self.platform.admin(f"query($id: ID!) {{ order(id: $id) {{ {ORDER} }} }}", id=self.orders[name])["order"]

    def settle(self, name: str) -> None:
        """Settle the order's first payment."""
        payment = self.order(name)["payments"][0]["id"]
        self.platform.admin(
            "mutation($id: ID!) { settlePayment(id: $id) { ... on Payment { id } ...E } }" + ERROR, id=payment
        )

    def fulfil(self, name: str, quantities: Sequence[int] | None = None, tracking: str | None = "TRK1") -> str:
        """Make a fulfilment of these quantities, line by line (all if left out), and return its id."""
        lines = self.order(name)["lines"]
        wanted = quantities if quantities is not None else [line["quantity"] for line in lines]
        arguments = [{"name": "method", "value": "DHL Express"}]
        if tracking:
            arguments.append({"name": "trackingCode", "value": tracking})
        answer = self.platform.admin(
            "mutation($i: FulfillOrderInput!) { addFulfillmentToOrder(input: $i) { ... on Fulfillment { id } ...E } }"
            + ERROR,
            i={
                "lines": [
                    {"orderLineId": line["id"], "quantity": quantity}
                    for line, quantity in zip(lines, wanted, strict=False)
                    if quantity
                ],
                "handler": {"code": "manual-fulfillment", "arguments": arguments},
            },
        )
        found: str = answer["addFulfillmentToOrder"]["id"]
        return found

    def move_fulfilment(self, fulfilment: str, state: str) -> None:
        """Move a fulfilment to Shipped, Delivered or Cancelled; a new one is Pending."""
        self.platform.admin(
            "mutation($id: ID!, $s: String!) { transitionFulfillmentToState(id: $id, state: $s)"
            " { ... on Fulfillment { id } ...E } }" + ERROR,
            id=fulfilment,
            s=state,
        )

    def refund(self, name: str, amount: int, reason: str | None = None) -> str:
        """Refund an amount (minor units) of the order's first payment, and return the refund's id."""
        payment = self.order(name)["payments"][0]["id"]
        answer = self.platform.admin(
            "mutation($i: RefundOrderInput!) { refundOrder(input: $i) { ... on Refund { id } ...E } }" + ERROR,
            i={"paymentId": payment, "amount": amount, "reason": reason, "lines": [], "shipping": 0, "adjustment": 0},
        )
        found: str = answer["refundOrder"]["id"]
        return found

    def refund_lines(self, name: str, quantities: Sequence[int], shipping: int) -> str:
        """Refund units of lines and some shipping (minor units), the older way."""
        order = self.order(name)
        answer = self.platform.admin(
            "mutation($i: RefundOrderInput!) { refundOrder(input: $i) { ... on Refund { id } ...E } }" + ERROR,
            i={
                "paymentId": order["payments"][0]["id"],
                "lines": [
                    {"orderLineId": line["id"], "quantity": quantity}
                    for line, quantity in zip(order["lines"], quantities, strict=False)
                ],
                "shipping": shipping,
                "adjustment": 0,
                "reason": "damaged",
            },
        )
        found: str = answer["refundOrder"]["id"]
        return found

    def settle_refund(self, refund: str) -> None:
        """Settle a pending refund."""
        self.platform.admin(
            "mutation($i: SettleRefundInput!) { settleRefund(input: $i) { ... on Refund { id } ...E } }" + ERROR,
            i={"id": refund, "transactionId": f"refunded-{refund}"},
        )

    def cancel(self, name: str, quantities: Sequence[int] | None = None, shipping: bool = False) -> None:
        """Cancel these quantities, line by line, or the whole order."""
        given: dict[str, Any] = {"orderId": self.orders[name], "reason": "changed mind", "cancelShipping": shipping}
        if quantities is not None:
            given["lines"] = [
                {"orderLineId": line["id"], "quantity": quantity}
                for line, quantity in zip(self.order(name)["lines"], quantities, strict=False)
                if quantity
            ]
        self.platform.admin(
            "mutation($i: CancelOrderInput!) { cancelOrder(input: $i) { ... on Order { id } ...E } }" + ERROR, i=given
        )

    def note(self, name: str, text: str) -> None:
        """Add a private note."""
        self.platform.admin(
            "mutation($i: AddNoteToOrderInput!) { addNoteToOrder(input: $i) { id } }",
            i={"id": self.orders[name], "note": text, "isPublic": False},
        )

    def to_state(self, name: str, state: str) -> None:
        """Move the order to another state."""
        self.platform.admin(
            "mutation($id: ID!, $s: String!) { transitionOrderToState(id: $id, state: $s)"
            " { ... on Order { id } ...E } }" + ERROR,
            id=self.orders[name],
            s=state,
        )

    def modify(self, name: str, **changes: Any) -> None:
        """Modify a placed order: with ``surcharges``, ``adjustOrderLines``, ``addItems``, and pay what is then due."""
        self.to_state(name, "Modifying")
        self.platform.admin(
            "mutation($i: ModifyOrderInput!) { modifyOrder(input: $i) { ... on Order { id } ...E } }" + ERROR,
            i={"dryRun": False, "orderId": self.orders[name], **changes},
        )
        self.to_state(name, "ArrangingAdditionalPayment")
        self.platform.admin(
            "mutation($i: ManualPaymentInput!) { addManualPaymentToOrder(input: $i) { ... on Order { id } ...E } }"
            + ERROR,
            i={"orderId": self.orders[name], "method": "bank transfer", "transactionId": "bank-1", "metadata": {}},
        )
        self.to_state(name, "PaymentSettled")

    def set_stock(self, sku: str, levels: Sequence[int]) -> None:
        """Set the units on hand in each location."""
        self.update_variant(
            sku,
            stockLevels=[
                {"stockLocationId": location, "stockOnHand": level}
                for location, level in zip(self.locations, levels, strict=False)
            ],
        )

    def update_variant(self, sku: str, **changes: Any) -> None:
        """Change fields of a variant."""
        self.platform.admin(
            "mutation($i: [UpdateProductVariantInput!]!) { updateProductVariants(input: $i) { id } }",
            i=[{"id": self.variants[sku], **changes}],
        )

    def place(
        self,
        name: str,
        items: dict[str, int],
        *,
        method: str = "auto",
        channel: str = DEFAULT_CHANNEL,
        address: dict[str, Any] | None = None,
        billing: dict[str, Any] | None = None,
        coupons: Sequence[str] = (),
        email: str = "jane@example.com",
        until: str = "placed",
    ) -> None:
        """Order these quantities by SKU as a guest. ``until`` may be AddingItems or ArrangingPayment: never placed."""
        visitor = self.platform.shopper(channel)
        code = ""
        for sku, quantity in items.items():
            code = _add(visitor, self.variants[sku], quantity)
        for coupon in coupons:
            visitor.shop(
                "mutation($c: String!) { applyCouponCode(couponCode: $c) { ... on Order { id } ...E } }" + ERROR,
                c=coupon,
            )
        if until == "AddingItems":
            self.carts[name] = code
            return
        _address(visitor, email, address or ADDRESS, billing)
        visitor.shop(
            'mutation { transitionOrderToState(state: "ArrangingPayment") { ... on Order { id } ...E } }' + ERROR
        )
        if until == "ArrangingPayment":
            self.carts[name] = code
            return
        paid = visitor.shop(
            "mutation($i: PaymentInput!) { addPaymentToOrder(input: $i) { ... on Order { id code } ...E } }" + ERROR,
            i={"method": method, "metadata": {}},
        )
        self.orders[name] = paid["addPaymentToOrder"]["id"]


ERROR = " fragment E on ErrorResult { errorCode message }"


def _add(visitor: Shopper, variant: str, quantity: int) -> str:
    answer = visitor.shop(
        "mutation($v: ID!, $q: Int!) { addItemToOrder(productVariantId: $v, quantity: $q)"
        " { ... on Order { code } ...E } }" + ERROR,
        v=variant,
        q=quantity,
    )
    code: str = answer["addItemToOrder"]["code"]
    return code


def _address(visitor: Shopper, email: str, address: dict[str, Any], billing: dict[str, Any] | None) -> None:
    visitor.shop(
        "mutation($c: CreateCustomerInput!) { setCustomerForOrder(input: $c) { ... on Order { id } ...E } }" + ERROR,
        c={"firstName": "Jane", "lastName": "Doe", "emailAddress": email},
    )
    visitor.shop(
        "mutation($a: CreateAddressInput!) { setOrderShippingAddress(input: $a) { ... on Order { id } ...E } }" + ERROR,
        a=address,
    )
    if billing:
        visitor.shop(
            "mutation($a: CreateAddressInput!) { setOrderBillingAddress(input: $a) { ... on Order { id } ...E } }"
            + ERROR,
            a=billing,
        )
    methods = visitor.shop("{ eligibleShippingMethods { id } }")["eligibleShippingMethods"]
    visitor.shop(
        "mutation($m: [ID!]!) { setOrderShippingMethod(shippingMethodId: $m) { ... on Order { id } ...E } }" + ERROR,
        m=[methods[0]["id"]],
    )


def fill(platform: Vendure) -> Shop:
    """A shop with everything in it; see `place_orders` for what its orders stand for."""
    shop = furnish(platform)
    place_orders(shop)
    return shop


def furnish(platform: Vendure) -> Shop:
    """A shop with settings, a catalogue and stock, but without orders."""
    shop = Shop(platform)
    _settings(shop)
    _catalogue(shop)
    return shop


def _text(name: str, **more: str) -> list[dict[str, str]]:
    return [{"languageCode": "en", "name": name, "description": "", **more}]


def _operation(code: str, **arguments: str) -> dict[str, Any]:
    return {"code": code, "arguments": [{"name": name, "value": value} for name, value in arguments.items()]}


def _settings(shop: Shop) -> None:
    admin = shop.platform.admin
    countries = [
        admin(
            "mutation($i: CreateCountryInput!) { createCountry(input: $i) { id } }",
            i={"code": code, "enabled": True, "translations": [{"languageCode": "en", "name": name}]},
        )["createCountry"]["id"]
        for code, name in (("US", "United States of America"), ("JP", "Japan"), ("DE", "Germany"))
    ]
    zone = admin(
        "mutation($i: CreateZoneInput!) { createZone(input: $i) { id } }", i={"name": "World", "memberIds": countries}
    )["createZone"]["id"]
    categories = [
        admin(
            "mutation($i: CreateTaxCategoryInput!) { createTaxCategory(input: $i) { id } }",
            i={"name": name, "isDefault": name == "Standard"},
        )["createTaxCategory"]["id"]
        for name in ("Standard", "Reduced")
    ]
    for category, value in zip(categories, (19, 7.7), strict=True):
        admin(
            "mutation($i: CreateTaxRateInput!) { createTaxRate(input: $i) { id } }",
            i={"name": f"{value} %", "enabled": True, "value": value, "categoryId": category, "zoneId": zone},
        )
    shop.channels[DEFAULT_CHANNEL] = admin("{ activeChannel { id } }")["activeChannel"]["id"]
    admin(
        "mutation($i: UpdateChannelInput!) { updateChannel(input: $i) { ... on Channel { id } ...E } }"
        " fragment E on LanguageNotAvailableError { errorCode message }",
        i={"id": shop.channels[DEFAULT_CHANNEL], "defaultTaxZoneId": zone, "defaultShippingZoneId": zone},
    )
    shop.channels[YEN_CHANNEL] = admin(
        "mutation($i: CreateChannelInput!) { createChannel(input: $i) { ... on Channel { id } ...E } }"
        " fragment E on LanguageNotAvailableError { errorCode message }",
        i={
            "code": "yen-channel",
            "token": YEN_CHANNEL,
            "defaultLanguageCode": "en",
            "pricesIncludeTax": True,
            "defaultCurrencyCode": "JPY",
            "availableCurrencyCodes": ["JPY"],
            "defaultTaxZoneId": zone,
            "defaultShippingZoneId": zone,
        },
    )["createChannel"]["id"]
    _methods(shop)
    first = admin("{ stockLocations { items { id } } }")["stockLocations"]["items"][0]["id"]
    second = admin(
        "mutation($i: CreateStockLocationInput!) { createStockLocation(input: $i) { id } }",
        i={"name": "東京倉庫", "description": "Koto"},
    )["createStockLocation"]["id"]
    shop.locations = [first, second]
    admin(
        "mutation($i: AssignStockLocationsToChannelInput!) { assignStockLocationsToChannel(input: $i) { id } }",
        i={"stockLocationIds": shop.locations, "channelId": shop.channels[YEN_CHANNEL]},
    )


def _methods(shop: Shop) -> None:
    admin = shop.platform.admin
    promotions: tuple[tuple[str, str, dict[str, str]], ...] = (
        ("TENOFF", "order_fixed_discount", {"discount": "1000"}),
        ("SEVEN", "order_percentage_discount", {"discount": "7"}),
        ("FREESHIP", "free_shipping", {}),
    )
    for channel, rate in ((DEFAULT_CHANNEL, "599"), (YEN_CHANNEL, "80000")):
        admin(
            "mutation($i: CreateShippingMethodInput!) { createShippingMethod(input: $i) { id } }",
            channel,
            i={
                "code": f"standard-{channel}",
                "fulfillmentHandler": "manual-fulfillment",
                "checker": _operation("default-shipping-eligibility-checker", orderMinimum="0"),
                "calculator": _operation("default-shipping-calculator", rate=rate, includesTax="auto", taxRate="19"),
                "translations": _text("Standard (3–5 days)"),
            },
        )
        for code, handler in (
            ("auto", _operation("dummy-payment-handler", automaticSettle="true")),
            ("authorize", _operation("dummy-payment-handler", automaticSettle="false")),
            ("instant", _operation("instant-refunds")),
        ):
            admin(
                "mutation($i: CreatePaymentMethodInput!) { createPaymentMethod(input: $i) { id } }",
                channel,
                i={"code": code, "enabled": True, "handler": handler, "translations": _text(code)},
            )
        for coupon, action, arguments in promotions:
            _promotion(shop, channel, coupon, _operation(action, **arguments))


def _catalogue(shop: Shop) -> None:
    admin = shop.platform.admin
    categories = [each["id"] for each in admin("{ taxCategories { items { id } } }")["taxCategories"]["items"]]
    goods = (
        ("Mug", True, (("MUG-S", "Small", 1299, 0), ("MUG-L", "Large", 1999, 0))),
        ("Café Press ☕", True, (("PRESS", "½ l", 3333, 1),)),
        ("Sticker", True, (("STICKER", "Round", 7, 1),)),
        ("Old lamp", False, (("LAMP", "Oak", 10001, 0),)),
    )
    products: list[str] = []
    for name, enabled, variants in goods:
        product = admin(
            "mutation($i: CreateProductInput!) { createProduct(input: $i) { id } }",
            i={"enabled": enabled, "translations": _text(name, slug=f"p{len(products)}")},
        )["createProduct"]["id"]
        products.append(product)
        options = _options(shop, product, [title for _, title, _, _ in variants])
        made = admin(
            "mutation($i: [CreateProductVariantInput!]!) { createProductVariants(input: $i) { id sku } }",
            i=[
                {
                    "productId": product,
                    "sku": sku,
                    "price": price,
                    "taxCategoryId": categories[category],
                    "optionIds": [option],
                    "stockLevels": [
                        {"stockLocationId": shop.locations[0], "stockOnHand": 10000},
                        {"stockLocationId": shop.locations[1], "stockOnHand": 5},
                    ],
                    "trackInventory": "TRUE",
                    "translations": [{"languageCode": "en", "name": f"{name} {title}"}],
                }
                for (sku, title, price, category), option in zip(variants, options, strict=True)
            ],
        )["createProductVariants"]
        shop.variants.update({each["sku"]: each["id"] for each in made})
    admin(
        "mutation($i: AssignProductsToChannelInput!) { assignProductsToChannel(input: $i) { id } }",
        i={"productIds": products, "channelId": shop.channels[YEN_CHANNEL], "priceFactor": 1.0},
    )
    for sku, price in (("MUG-S", 198000), ("MUG-L", 299900), ("PRESS", 500100), ("STICKER", 1300)):
        admin(
            "mutation($i: [UpdateProductVariantInput!]!) { updateProductVariants(input: $i) { id } }",
            YEN_CHANNEL,
            i=[{"id": shop.variants[sku], "prices": [{"currencyCode": "JPY", "price": price}]}],
        )
    third = _operation(
        "products_percentage_discount",
        discount="33.3",
        productVariantIds=f'["{shop.variants["MUG-S"]}","{shop.variants["STICKER"]}"]',
    )
    for channel in (DEFAULT_CHANNEL, YEN_CHANNEL):
        _promotion(shop, channel, "THIRD", third)


def _promotion(shop: Shop, channel: str, coupon: str, action: dict[str, Any]) -> None:
    """A promotion of a channel is one of the default channel as well, so that each has a coupon code of its own."""
    shop.platform.admin(
        "mutation($i: CreatePromotionInput!) { createPromotion(input: $i)"
        " { ... on Promotion { id } ... on ErrorResult { errorCode message } } }",
        channel,
        i={
            "enabled": True,
            "couponCode": coupon if channel == DEFAULT_CHANNEL else f"{coupon}-YEN",
            "conditions": [],
            "actions": [action],
            "translations": _text(coupon),
        },
    )


def _options(shop: Shop, product: str, titles: Sequence[str]) -> list[str]:
    admin = shop.platform.admin
    group = admin(
        "mutation($i: CreateProductOptionGroupInput!) { createProductOptionGroup(input: $i) { id options { id } } }",
        i={
            "code": f"size-{product}",
            "translations": [{"languageCode": "en", "name": "Size"}],
            "options": [
                {"code": f"o{number}", "translations": [{"languageCode": "en", "name": title}]}
                for number, title in enumerate(titles)
            ],
        },
    )["createProductOptionGroup"]
    admin(
        "mutation($p: ID!, $g: ID!) { addOptionGroupToProduct(productId: $p, optionGroupId: $g) { id } }",
        p=product,
        g=group["id"],
    )
    return [option["id"] for option in group["options"]]


def place_orders(shop: Shop) -> None:
    """One order for each thing that can happen to an order, and carts that were never placed."""
    two = {"MUG-S": 3, "PRESS": 2}
    shop.place("authorized", two, method="authorize")
    shop.place("settled", two, billing={**ADDRESS, "fullName": "Bill Payer", "streetLine1": "1 Pay Street"})
    shop.place("line discount", {"MUG-S": 7, "STICKER": 11, "PRESS": 1}, coupons=["THIRD"])
    shop.place("order discount", {"MUG-S": 7, "STICKER": 3, "PRESS": 1}, coupons=["TENOFF"])
    shop.place("both discounts", {"MUG-S": 7, "STICKER": 13, "PRESS": 3}, coupons=["THIRD", "SEVEN", "FREESHIP"])
    shop.place("free shipping", {"PRESS": 1}, coupons=["FREESHIP"])
    shop.place("unicode", {"STICKER": 1}, address=TOKYO, email="yamada@example.jp")
    for number in range(8):
        shop.place(f"plain {number}", {"MUG-L": number + 1, "STICKER": 5}, email=f"buyer{number}@example.com")
    shop.place("partially shipped", two)
    _ship(shop, "partially shipped", (1, 1), "Shipped")
    shop.place("shipped", two)
    _ship(shop, "shipped", None, "Shipped")
    shop.place("two parcels", two)
    _ship(shop, "two parcels", (3, 0), "Shipped", "TRK-A")
    _ship(shop, "two parcels", (0, 2), "Shipped", None)
    shop.place("partially delivered", two)
    _ship(shop, "partially delivered", (2, 0), "Delivered")
    shop.place("delivered", two)
    _ship(shop, "delivered", None, "Delivered")
    shop.place("packed", two)
    _ship(shop, "packed", None, "Pending")
    shop.place("cancelled", two)
    shop.cancel("cancelled", shipping=True)
    shop.place("cancelled unpaid", two, method="authorize")
    shop.cancel("cancelled unpaid")
    shop.place("line cancelled", two)
    shop.cancel("line cancelled", (1, 2))
    shop.place("discounted line cancelled", {"MUG-S": 7, "STICKER": 11}, coupons=["THIRD", "TENOFF"])
    shop.cancel("discounted line cancelled", (2, 4))
    shop.place("partially refunded", two, method="instant")
    shop.refund("partially refunded", 777, "late")
    shop.place("lines refunded", two)
    shop.refund_lines("lines refunded", (1, 1), 100)
    shop.place("fully refunded", two, method="instant")
    _ship(shop, "fully refunded", None, "Delivered")
    shop.refund("fully refunded", shop.order("fully refunded")["payments"][0]["amount"])
    shop.place("refund pending", two)
    shop.refund("refund pending", 500)
    shop.place("modified", two)
    shop.modify(
        "modified",
        surcharges=[
            {
                "description": "gift wrap",
                "sku": "GIFT",
                "price": 350,
                "priceIncludesTax": False,
                "taxRate": 19,
                "taxDescription": "VAT",
            }
        ],
    )
    shop.place("modified line", {"MUG-S": 1})
    shop.modify("modified line", addItems=[{"productVariantId": shop.variants["PRESS"], "quantity": 2}])
    shop.place("being modified", two)
    shop.to_state("being modified", "Modifying")
    shop.place("yen", {"MUG-S": 7, "STICKER": 11}, channel=YEN_CHANNEL, address=TOKYO)
    shop.place(
        "yen discount", {"MUG-S": 7, "PRESS": 3}, channel=YEN_CHANNEL, address=TOKYO, coupons=["THIRD-YEN", "SEVEN-YEN"]
    )
    shop.place("cart", two, until="AddingItems")
    shop.place("checkout", two, until="ArrangingPayment")


def _ship(shop: Shop, name: str, quantities: Sequence[int] | None, state: str, tracking: str | None = "TRK1") -> None:
    fulfilment = shop.fulfil(name, quantities, tracking)
    states = ("Shipped", "Delivered")
    for each in states[: states.index(state) + 1] if state in states else ():
        shop.move_fulfilment(fulfilment, each)
