"""The TensorFlow package: the network and the training loop; it knows no store."""
