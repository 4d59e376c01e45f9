"""The declared use cases: each module here has one ``USE_CASE``. Adding a file is enough."""

from pkgutil import extend_path

from modelling.declaration.use_case_files import find_use_case, use_case_names

__all__ = ["find_use_case", "use_case_names"]
__path__ = extend_path(__path__, __name__)
