{# A value is none of those that there are, or is missing. #}
{% test one_of(model, column, values, at) %}
    select *
    from {{ model }}
    where
        {{ is_recent(at) }}
        and ({{ column }} in ('{{ values | join("', '") }}')) is distinct from true
{% endtest %}
