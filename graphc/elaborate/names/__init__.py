"""What a name stands for in which scope, who defines and uses it; the Model that comes of it."""
