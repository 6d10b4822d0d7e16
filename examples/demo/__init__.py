"""`make demo`: two networks in plain NumPy, trained with the gradients that Myia writes for them."""
