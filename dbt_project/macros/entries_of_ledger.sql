{#
    The ledger's entries as they lie in the lake: the ledger itself, or this machine's copies. Of
    several processes that write, each makes whole files, so that reading meets no lock. An empty
    file lies beside the folder, so that the view works before there is any decision.
#}
{% macro entries_of_ledger() -%}
    {%- set query = "select lake from " ~ control() ~ ".build_window" -%}
    {%- set lake = run_query(query).columns[0].values()[0] if execute -%}
    read_json('{{ lake }}/ledger*/*.json', columns = {
        number: 'bigint',
        previous: 'varchar',
        recorded_at: 'timestamp',
        decision: 'struct(
            kind varchar,
            "window" varchar,
            verdict varchar,
            clauses struct(
                name varchar,
                passed boolean,
                observed varchar,
                required varchar,
                "text" varchar,
                suffices boolean
            )[],
            subject json,
            evidence json,
            files json,
            author varchar
        )',
        evidence_sha256: 'varchar',
        sha256: 'varchar'
    })
{%- endmacro %}
