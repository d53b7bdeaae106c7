"""BERT-Large on SQuAD v1.1: data set, features, score and the tiny variant."""
