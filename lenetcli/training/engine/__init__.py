"""The network and the training loop in TensorFlow."""
