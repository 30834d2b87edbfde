"""From trained networks to a score, a map and a decision."""
