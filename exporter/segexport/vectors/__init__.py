"""What each step of the chain gives, as arrays for a port to check itself (`segexport vectors`, `segexport check-port`)."""

from segexport.vectors.check import check_port
from segexport.vectors.write import write_vectors

__all__ = ["check_port", "write_vectors"]
