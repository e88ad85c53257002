{#- What had been flown when a day was planned, by route and by the airline's part of it. -#}
{{ config(incremental_predicates=[in_range('decision_at')]) }}

with

planned as (
    select distinct
        flight_date,
        decision_at,
        carrier,
        origin,
        destination
    from {{ ref('int_block_time__conformed') }}
    where {{ in_range('decision_at') }}
),

ages as (
    select cast(unnest(range({{ var("block_time_trailing_days") }})) as integer) as age_days
),

-- each landing once for every day that was planned while it counted
flown as (
    select
        flown.carrier,
        flown.origin,
        flown.destination,
        flown.air_time_min,
        flown.seats,
        flown.known_at,
        ages.age_days,
        flown.first_date + ages.age_days as flight_date
    from {{ ref('int_block_time__flown') }} as flown
    cross join ages
    where {{ in_range_since('flown.known_at', '30 days') }}
),

routes as (
    select
        flight_date,
        origin,
        destination,
        count(*) as flights,
        avg(air_time_min) as air_time_min,
        avg(air_time_min) filter (age_days < 7) as last_week_min,
        avg(air_time_min) filter (age_days = 0) as last_day_min,
        median(air_time_min) as median_min,
        avg(seats) as seats,
        max(known_at) as known_at
    from flown
    group by all
),

carriers as (
    select
        flight_date,
        carrier,
        origin,
        destination,
        avg(air_time_min) as air_time_min
    from flown
    group by all
),

-- today's wind towards a destination, wherever it was met
winds as (
    select
        flown.flight_date,
        flown.destination,
        avg(flown.air_time_min - routes.air_time_min) as above_min
    from flown
    inner join routes using (flight_date, origin, destination)
    where flown.age_days = 0
    group by all
),

final as (
    select
        planned.flight_date,
        planned.carrier,
        planned.origin,
        planned.destination,
        planned.decision_at,
        coalesce(routes.flights, 0) as route_flights,
        routes.air_time_min as route_air_time_min,
        routes.last_week_min - routes.air_time_min as route_last_week_above_min,
        routes.last_day_min - routes.air_time_min as route_last_day_above_min,
        winds.above_min as destination_last_day_above_min,
        routes.median_min as route_median_min,
        routes.seats as route_seats,
        carriers.air_time_min - routes.air_time_min as carrier_route_above_min,
        routes.known_at
    from planned
    left join routes using (flight_date, origin, destination)
    left join carriers using (flight_date, carrier, origin, destination)
    left join winds using (flight_date, destination)
)

select * from final
order by decision_at
