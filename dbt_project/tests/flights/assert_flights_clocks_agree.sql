-- a schedule's local clock shows its moment in UTC: a wrong time zone would move every feature
with

clocks as (
    select
        flight_id,
        scheduled_departure_at,
        scheduled_departure_hhmm,
        {{ flights_local('scheduled_departure_at') }} as local_at
    from {{ ref('stg_flights__schedules') }}
    where {{ is_recent('known_at') }}
)

select
    flight_id,
    scheduled_departure_at,
    scheduled_departure_hhmm
from clocks
where hour(local_at) * 100 + minute(local_at) <> scheduled_departure_hhmm % 2400
