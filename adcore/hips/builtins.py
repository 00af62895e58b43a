"""autograd's containers and isinstance, which here are Python's own."""

import builtins

tuple = builtins.tuple
list = builtins.list
dict = builtins.dict
isinstance = builtins.isinstance
