{#
    Incremental strategy `replace`: the rows that the model's incremental_predicates name give way
    to the rows that it computed, in one transaction. A range that has become empty ends up empty.
#}
{% macro get_incremental_replace_sql(arg_dict) %}
    {%- set columns = get_quoted_csv(arg_dict["dest_columns"] | map(attribute="name")) -%}
    delete from {{ arg_dict["target_relation"] }}
    where {{ arg_dict["incremental_predicates"] | join(" and ") }};

    insert into {{ arg_dict["target_relation"] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict["temp_relation"] }}
{% endmacro %}
