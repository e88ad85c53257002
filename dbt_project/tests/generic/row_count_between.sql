{# A table has fewer or more rows than it can have. #}
{% test row_count_between(model, least, most) %}
    select count(*) as number_of_rows
    from {{ model }}
    having not count(*) between {{ least }} and {{ most }}
{% endtest %}
