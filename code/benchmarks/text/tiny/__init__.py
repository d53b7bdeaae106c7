"""Generated articles and the training of tiny models that summarise them."""
