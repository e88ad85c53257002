"""Ratchet: a model factory on Airflow and dbt.

Read the parts from the bottom up; each may import only what stands above it in this list:

`errors`, `window`, `settings`, `spec`
    What everything speaks of: failures, data intervals, folders, use cases.
`storage`, `decision`, `ledger`
    How bytes become durable, what a verdict is, and the list of all verdicts.
`statistics`
    How sure a difference is: pure functions on arrays.
`problems`
    What an answer is, how it is measured, and what errors cost, by kind of problem.
`explanations`
    What a model's answers rest on, as a whole and one by one: pure functions of models and rows.
`feeds`, `quality`, `warehouse`, `lineage`, `training`, `evaluation`, `registry`, `serving`,
`monitoring`, `incidents`, `retraining`
    The stages. None knows another's insides; they meet in typed records and files.
`reporting`
    What people read of it all.
`orchestration`
    The only part that knows Airflow.
`cli`, `__main__`
    What a person types.
"""
