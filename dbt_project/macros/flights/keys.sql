{# Names a flight: the key that holds in the data, as text. #}
{% macro flight_id() -%}
    concat_ws('_', flight_date, carrier, flight_number, origin)
{%- endmacro %}
