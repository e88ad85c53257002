{# An expression over a row's columns is not true, or can't be said. #}
{% test holds(model, expressions, at) %}
    select *
    from {{ model }}
    where
        {{ is_recent(at) }}
        and (({{ expressions | join(") and (") }})) is distinct from true
{% endtest %}
