"""One store contract on every engine: what the product asks of DynamoDB, and where the engines differ from it."""
