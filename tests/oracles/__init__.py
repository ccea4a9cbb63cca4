"""Independent float64 twins of the library's numbers, written from the equations."""
