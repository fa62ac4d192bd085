"""The stock table as the stock service uses it: keys, conditions, domain answers.

    SKU#<sku>      LOC#<location>[#<part>]   level, see commerce.holds
    SKU#<sku>      MOVE#<movement id>        movement: append-only, never changed
    LOCATIONS      LOC#<id>                  store or warehouse, see commerce.locations
    JOB#<job>      -, PART#<n>               work that takes many steps
    REQ#...        -                         idempotency marker, see commerce.requests

Index `location` (`stocked_at`, `sku`) lists the base levels of a location. Nothing it holds ever changes, so it costs
one write when a level is made and none after.
"""
