"""Topics, parameters and transforms in, hands on the network out: the nodes and their wiring."""
