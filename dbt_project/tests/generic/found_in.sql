{# A row refers to one that another table does not have. #}
{% test found_in(model, to, key, at) %}
    select referring.{{ key }}
    from {{ model }} as referring
    anti join {{ beyond_sample(to, key) }} as referred on referring.{{ key }} = referred.{{ key }}
    where {{ is_recent("referring." ~ at) }}
{% endtest %}
