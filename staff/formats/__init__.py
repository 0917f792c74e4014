"""How Django writes what a page does not format itself: moments to the second, in an order that sorts."""
