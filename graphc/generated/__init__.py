"""The modules that graphc keeps: a package whose folder is the cache.

So what is made of their classes pickles. `graphc.api.cache` says where the folder is.
"""

from __future__ import annotations

from graphc.api.cache import own_folder

__path__ = [str(own_folder())]
