"""Llama 3.1 8B Instruct at the edge: 5,000 articles, Offline and SingleStream."""
