"""A run's folder in a bucket: worked on in a local folder, which is brought there and back."""

from memorize_jax.mirror.bucket import BucketError
from memorize_jax.mirror.folder import local_folder, mirrored

__all__ = ["BucketError", "local_folder", "mirrored"]
