"""Rules that hold in the reals: fewer, cheaper operations, equal up to rounding."""
