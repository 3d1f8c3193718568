"""Operations over windows of the last axes: convolutions and pooling."""
