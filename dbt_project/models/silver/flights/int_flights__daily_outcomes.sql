{{ config(incremental_predicates=[flights_in_refreshes('known_date')]) }}

select
    known_date,
    carrier,
    scheduled_hour,
    count(*) as flights,
    count(*) filter (is_disrupted) as disrupted
from {{ ref('int_flights__outcomes') }}
where {{ flights_in_refreshes('known_date') }}
group by all
order by known_date
