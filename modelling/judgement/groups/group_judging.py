"""Judge a model by groups and segments, beside what is known of all test rows together."""

from dataclasses import replace

from modelling.data.splitting import Parts
from modelling.judgement.evaluation import judge_gate
from modelling.judgement.groups.group_rates import group_tables
from modelling.judgement.groups.proxies import proxies_of
from modelling.judgement.groups.slices import worst_slices
from modelling.judgement.judging import Judgement


def judge_groups(judgement: Judgement, parts: Parts) -> Judgement:
    """``judgement`` with the groups and the worst slices of its rows, and with their bounds in the
    gate. Of ``parts`` the training rows are read, for what the features tell of a group."""
    use_case = judgement.use_case
    columns = {column.name: column for column in use_case.group_columns}
    tables = tuple(
        replace(table, proxies=proxies_of(columns[table.column], parts.train, use_case))
        for table in group_tables(judgement)
    )
    gate = judge_gate(judgement.metrics, use_case, tables)
    return replace(judgement, groups=tables, slices=worst_slices(judgement), gate=gate)
