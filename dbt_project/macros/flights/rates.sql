{# Share of disrupted flights, drawn towards another share where there are few. #}
{% macro flights_shrunk_rate(disrupted, flights, towards) -%}
    (coalesce({{ disrupted }}, 0) + {{ var("flights").pseudo_flights }} * {{ towards }})
    / (coalesce({{ flights }}, 0) + {{ var("flights").pseudo_flights }})
{%- endmacro %}

{# The same for all flights, of which there are none before the first outcome. #}
{% macro flights_overall_rate(disrupted, flights) -%}
    {{ flights_shrunk_rate(disrupted, flights, var("flights").prior_rate) }}
{%- endmacro %}
