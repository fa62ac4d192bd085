"""The catalog's door: shoppers read, the PIM writes."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from catalog import product, table
from catalog.views import ProductBatch, ProductBatchView, ProductBody, ProductResult, ProductsView, ProductView
from commerce import door, markets, problems, tokens
from commerce.types import SKU_PATTERN

app = door.rest()

SkuInPath = Annotated[str, Path(pattern=SKU_PATTERN)]
MarketId = Annotated[str, Query(pattern=r"^[a-z0-9-]{1,20}$", description="a configured market")]
Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[str | None, Query(max_length=2000)]


@app.get("/products/<sku>", summary="One product", tags=["catalog"], operation_id="getProduct")
def get_product(sku: SkuInPath, market: MarketId = markets.DEFAULT) -> ProductView:
    """A product, with its price in a market."""
    found = table.read(sku)
    if found is None:
        raise problems.not_found("product")
    return ProductView.of(found, _market(market))


@app.get("/products", summary="Products", tags=["catalog"], operation_id="listProducts")
def list_products(market: MarketId = markets.DEFAULT, limit: Limit = 50, cursor: Cursor = None) -> ProductsView:
    """Products by SKU, a page at a time."""
    shown_in = _market(market)
    found, following = table.page(limit, tokens.read_cursor("products", cursor))
    return ProductsView(
        items=[ProductView.of(each, shown_in) for each in found],
        next_cursor=tokens.cursor("products", following),
    )


@app.put("/products/<sku>", summary="Add or change a product", tags=["catalog"], operation_id="putProduct")
def put_product(sku: SkuInPath, body: ProductBody) -> ProductView:
    """The PIM says what a product is. Saying the same again changes nothing."""
    caller = door.caller(app)
    caller.need("catalog:write")
    if sku in product.RESERVED:
        raise problems.invalid(["path", "sku"], "This word is a route of the API and cannot be a SKU.", "reserved_sku")
    written, _ = table.upsert(body.said(sku), table.read_many([sku]).get(sku), caller)
    return ProductView.of(written, markets.get(None))


@app.post("/products/batch", summary="Add or change up to 100 products", tags=["catalog"], operation_id="putProducts")
def put_products(body: ProductBatch) -> ProductBatchView:
    """One product that is not valid refuses them all; a batch that broke off half-way is simply sent again."""
    caller = door.caller(app)
    caller.need("catalog:write")
    _each_once(body)
    old = table.read_many([each.sku for each in body.products])
    results = []
    for each in body.products:
        written, changed = table.upsert(each.said(each.sku), old.get(each.sku), caller)
        results.append(ProductResult(sku=each.sku, changed=changed, version=written["version"]))
    return ProductBatchView(items=results)


def _each_once(batch: ProductBatch) -> None:
    seen: set[str] = set()
    for index, each in enumerate(batch.products):
        if each.sku in seen:
            raise problems.invalid(["body", "products", index, "sku"], "This SKU is in the batch twice.")
        seen.add(each.sku)


def _market(market_id: str) -> markets.Market:
    if market_id not in markets.every():
        raise problems.invalid(["query", "market"], f"There is no market {market_id!r}.")
    return markets.get(market_id)


_one = door.handler(app)
_import = door.handler(app, max_body=door.MAX_IMPORT)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The Lambda handler: a batch is an import and may be larger than other bodies."""
    door_of = _import if event.get("resource") == "/products/batch" else _one
    return door_of(event, context)
