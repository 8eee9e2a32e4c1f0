"""What people would run otherwise, over the same models and index."""
