"""The readers' page: a small web application over a node's ledger and folder."""
