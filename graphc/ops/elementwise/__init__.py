"""Operations element by element: arithmetic, elementary and special functions, activations."""
