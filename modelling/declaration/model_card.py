"""What people say of a model in their own words, for its dossier.

Import it from ``modelling.declaration``.

References
----------
Mitchell et al. (2019), "Model cards for model reporting", whose sections these fields belong to.
"""

from modelling.schema import Declaration


class ModelCard(Declaration):
    """Sentences for the dossier of each version. What is left out stands there as a blank to be
    filled in by a person: nothing is made up.

    ``owner`` is who answers for the model, ``purpose`` what it is used for, ``users`` who decides
    with it and about whom, ``out_of_scope`` what it must not be used for, ``data_period`` of when
    the rows are, ``limits`` what it is known to do badly, ``ethics`` whom it may harm and how,
    ``oversight`` how people can overrule it, ``monitoring`` how it is watched while it is used.
    """

    owner: str = ""
    purpose: str = ""
    users: str = ""
    out_of_scope: str = ""
    data_period: str = ""
    limits: str = ""
    ethics: str = ""
    oversight: str = ""
    monitoring: str = ""
