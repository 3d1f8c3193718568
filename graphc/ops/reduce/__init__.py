"""Operations along axes: sums, extremes, running totals, norms."""
