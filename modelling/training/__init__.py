"""The only room with TensorFlow: networks, and how they are trained."""
