{%- set days -%}
    known_date between {{ flights_known_date(range_start()) }} and {{ flights_known_date(range_end()) }}
{%- endset -%}
{{ config(incremental_predicates=[days]) }}

select
    known_date,
    carrier,
    scheduled_hour,
    count(*) as flights,
    count(*) filter (is_disrupted) as disrupted
from {{ ref('int_flights__outcomes') }}
where {{ days }}
group by all
