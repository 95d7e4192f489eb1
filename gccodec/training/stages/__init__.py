"""The stages of training, one a file: each is a trainer with data, a model and a loss."""
