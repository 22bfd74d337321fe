"""Networks whose classes come from an installed library: transformers, segmentation_models_pytorch."""

from segexport.networks.libraries.find import described_network, prepared_as_trained, recognised_network

__all__ = ["described_network", "prepared_as_trained", "recognised_network"]
