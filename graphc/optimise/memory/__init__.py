"""Less memory for more time: sinking, rematerialisation, checkpointing, and a search among them."""
