"""Stock: what is where, what may be promised, and every movement that made it so."""
