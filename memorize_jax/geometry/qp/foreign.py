"""Functions of Python that compiled programs call by name.

They do what `jax.pure_callback` does, but jax keeps no program with such a callback in its cache on disk, so that
every process would compile the geometry again. Here a program only knows a name, under XLA's foreign function interface
(FFI, version 0.3 of its C structures; jaxlib ships them as xla/ffi/api/c_api.h). Only for programs on a processor.
"""

import ctypes
import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

VERSION = 0, 3
# XLA asks for the version when a function is registered, by an extension of this type.
METADATA = 1
# Of XLA's types those that are used here, and half precision, which a caller may bring by mistake.
DTYPES = {4: np.int32, 10: np.float16, 11: np.float32, 12: np.float64, 16: jnp.bfloat16}


class _Buffer(ctypes.Structure):
    _fields_ = (
        ("struct_size", ctypes.c_size_t),
        ("extension", ctypes.c_void_p),
        ("dtype", ctypes.c_int),
        ("data", ctypes.c_void_p),
        ("rank", ctypes.c_int64),
        ("dims", ctypes.POINTER(ctypes.c_int64)),
    )


class _Buffers(ctypes.Structure):
    _fields_ = (
        ("struct_size", ctypes.c_size_t),
        ("extension", ctypes.c_void_p),
        ("size", ctypes.c_int64),
        ("types", ctypes.c_void_p),
        ("items", ctypes.POINTER(ctypes.POINTER(_Buffer))),
    )


class _Metadata(ctypes.Structure):
    _fields_ = (
        ("struct_size", ctypes.c_size_t),
        ("version_size", ctypes.c_size_t),
        ("version_extension", ctypes.c_void_p),
        ("major", ctypes.c_int),
        ("minor", ctypes.c_int),
        ("traits", ctypes.c_uint32),
    )


class _Extension(ctypes.Structure):
    _fields_ = (
        ("struct_size", ctypes.c_size_t),
        ("type", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("metadata", ctypes.POINTER(_Metadata)),
    )


class _CallFrame(ctypes.Structure):
    _fields_ = (
        ("struct_size", ctypes.c_size_t),
        ("extension", ctypes.POINTER(_Extension)),
        ("api", ctypes.c_void_p),
        ("context", ctypes.c_void_p),
        ("stage", ctypes.c_int),
        ("arguments", _Buffers),
        ("results", _Buffers),
    )


# Returns the address of an error; 0 is none.
_HANDLER = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.POINTER(_CallFrame))


def register(name: str, function: Callable[..., None]) -> str:
    """Gives a function a name for `jax.ffi.ffi_call`, and returns the name.

    The function gets the arguments and then the results, NumPy arrays in the memory of XLA, and writes the results. If
    it raises, they become NaN, whole numbers 0. It must not call jax, whose threads wait for it.
    """
    _handler(name, function)
    return name


# XLA has only the handler's address: it must stay for as long as the process.
@functools.cache
def _handler(name, function):
    def handle(pointer):
        frame = pointer.contents
        if frame.extension and frame.extension.contents.type == METADATA:
            metadata = frame.extension.contents.metadata.contents
            metadata.major, metadata.minor = VERSION
            return 0
        results = _arrays(frame.results)
        try:
            function(*_arrays(frame.arguments), *results)
        except Exception:  # there is nobody above to raise it to
            for result in results:
                result.fill(np.nan if jnp.issubdtype(result.dtype, jnp.floating) else 0)
        return 0

    handler = _HANDLER(handle)
    make = ctypes.pythonapi.PyCapsule_New
    make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    capsule = make(ctypes.cast(handler, ctypes.c_void_p), b"xla._CUSTOM_CALL_TARGET", None)
    jax.ffi.register_ffi_target(name, capsule, platform="cpu")
    return handler


def _arrays(buffers):
    return [_array(buffers.items[number].contents) for number in range(buffers.size)]


def _array(buffer):
    """The memory of a buffer as an array, without a copy."""
    shape, dtype = tuple(buffer.dims[axis] for axis in range(buffer.rank)), np.dtype(DTYPES[buffer.dtype])
    size = math.prod(shape) * dtype.itemsize
    if not size:
        return np.empty(shape, dtype)
    memory = memoryview((ctypes.c_char * size).from_address(buffer.data))
    return np.frombuffer(memory, dtype).reshape(shape)
