"""segmentation_models_pytorch's networks."""
