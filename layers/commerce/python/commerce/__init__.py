"""The shared kernel: what every room may use, and nothing a single room owns.

Ports (`clock`, `ids`, `web`, `aws`) are the only ways out of the process, so a test can replace all of them.
`writes` turns business fragments into one DynamoDB request or transaction. `holds`, `baskets`, `payables` and
`requests` are the fragments that more than one service composes. `door` and `consumer` are the two kinds of entry.
"""
