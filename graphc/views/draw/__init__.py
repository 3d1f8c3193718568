"""Pictures of a graph: what is drawn as records, folded, laid out, and printed in three formats."""
